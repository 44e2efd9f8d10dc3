// A wait for several tasks.
#pragma once

#include <vector>

#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/lowlevel/waiter.h>

namespace asyncio::detail {

/// Names the tasks, so that a cycle of awaits is found.
struct TaskSetWaiter : lowlevel::Waiter {
  /// Requires: `tasks` outlives the wait.
  TaskSetWaiter(const lowlevel::WaitReason& why, const std::vector<TaskControl*>& tasks) noexcept
      : Waiter(why), set{tasks.data(), tasks.size()} {}

  /// The reason for such a wait; `abort` undoes it.
  static constexpr lowlevel::WaitReason reason_with(bool (*abort)(Waiter&) noexcept) noexcept {
    return {.what = "tasks",
            .abort = abort,
            .awaited = [](const Waiter& waiter) noexcept -> const TaskSet& {
              return static_cast<const TaskSetWaiter&>(waiter).set;
            }};
  }

  TaskSet set;
};

}  // namespace asyncio::detail

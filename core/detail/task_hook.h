// The hook through which the observable module hears of tasks.  Core knows observation only as this.
#pragma once

#include <atomic>
#include <cstdint>

#include <asyncio/core/export.h>

namespace asyncio::detail {

class TaskControl;

enum class TaskMoment : std::uint8_t { created, started, completed, failed, cancelled };

using TaskHook = void (*)(TaskControl& task, TaskMoment moment);

/// Null while nobody listens: then each moment costs one load and one predictable branch.
ASYNCIO_API extern std::atomic<TaskHook> task_hook;

inline void tell_task_hook(TaskControl& task, TaskMoment moment) {
  if (const TaskHook hook = task_hook.load(std::memory_order_relaxed); hook != nullptr) [[unlikely]] {
    hook(task, moment);
  }
}

}  // namespace asyncio::detail

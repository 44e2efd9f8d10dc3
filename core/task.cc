#include <asyncio/core/task.h>

#include <stdexcept>
#include <utility>

#include <asyncio/core/internal/done_callback.h>
#include <asyncio/core/internal/dump.h>
#include <asyncio/core/internal/memory/stack_pool.h>
#include <asyncio/core/internal/scheduler.h>

namespace asyncio {
namespace {

using detail::TaskControl;

struct CancelPost : detail::Post {
  CancelPost(detail::TaskRef target, std::string_view why)
      : Post([](Post& post, detail::Scheduler* scheduler) {
          const std::unique_ptr<CancelPost> self{static_cast<CancelPost*>(&post)};
          // A late post may reach another loop that reuses the inbox; by then the task has ended.
          if (scheduler == nullptr || self->task->done() || self->task->abandoned) return;
          detail::cancel_node(self->task->own_scope, CancelReason::user, self->reason);
        }),
        task(std::move(target)),
        reason(why) {}
  detail::TaskRef task;
  std::string reason;
};

// An abandoned task may have outlived its loop, and with it its clock.
TimePoint ended_or_now(const TaskControl& task) noexcept {
  return task.done() || task.abandoned ? task.completed : task.scheduler->reactor().now();
}

}  // namespace

void AnyTask::empty_handle() {
  throw InvalidStateError(
      "this handle names no task (default-made or moved from): use one that create_task gave");
}

std::exception_ptr AnyTask::exception() const {
  TaskControl& task = control();
  if (!task.done()) {
    throw InvalidStateError("exception() of task '" + task.display_name() +
                            "', which has not ended: await(task) first");
  }
  task.mark_observed();
  return task.exception;
}

bool AnyTask::cancel(std::string_view reason) const {
  TaskControl& task = control();
  if (task.done()) return false;
  // On another thread, the loop may end at any time, but its inbox is never freed.
  if (task.inbox->on_owners_thread()) {
    if (task.done() || task.abandoned) return false;
    detail::cancel_node(task.own_scope, CancelReason::user, std::string{reason});
    return true;
  }
  auto post = std::make_unique<CancelPost>(control_, reason);
  if (!task.inbox->push(*post)) return false;
  static_cast<void>(post.release());
  return true;
}

void AnyTask::add_done_callback(UniqueFunction<void()> callback) const {
  TaskControl& task = control();
  if (!callback) throw std::invalid_argument("add_done_callback: the callback is empty");
  if (!task.done()) {
    task.inbox->check_thread("add_done_callback");
    if (task.done_callbacks == nullptr) {
      task.done_callbacks = std::make_unique<std::vector<UniqueFunction<void()>>>();
    }
    task.done_callbacks->push_back(std::move(callback));
    return;
  }
  detail::Scheduler* const scheduler = detail::Scheduler::current();
  if (scheduler == nullptr) {
    throw NoRunningLoopError(
        "add_done_callback on a task that has ended, where no loop runs: "
        "call the function directly");
  }
  detail::call_soon_reporting(*scheduler, std::move(callback));
}

std::optional<TimePoint> AnyTask::started_at() const {
  const TimePoint at = control().started;
  return at == TimePoint{} ? std::nullopt : std::optional{at};
}

std::optional<TimePoint> AnyTask::completed_at() const {
  return is_done() ? std::optional{control().completed} : std::nullopt;
}

Duration AnyTask::duration() const {
  const TaskControl& task = control();
  if (task.started == TimePoint{}) return Duration::zero();
  return ended_or_now(task) - task.started;
}

Duration AnyTask::wait_time() const {
  const TaskControl& task = control();
  return (task.started != TimePoint{} ? task.started : ended_or_now(task)) - task.created;
}

TaskStats AnyTask::stats() const {
  const TaskControl& task = control();
  TaskStats stats;
  stats.created_at = task.created;
  stats.started_at = started_at();
  stats.completed_at = completed_at();
  stats.suspensions = task.suspensions;
  if (!task.done()) {
    stats.stack_size = task.fiber.size;
    stats.stack_used = detail::touched_stack(task.fiber.top, task.fiber.size);
  }
  return stats;
}

std::string AnyTask::wait_reason() const { return detail::wait_text(control()); }

void await(const AnyTask& task) {
  const AnyTask keep = task;  // NOLINT(performance-unnecessary-copy-initialization): it may go
  detail::join_task(keep.control(), "await");
  detail::check_result(keep.control());
}

AnyTask current_task() {
  TaskControl* self = detail::current_task_control();
  if (self == nullptr) {
    throw NotInTaskError("current_task() outside a task: call it in the body of one");
  }
  return AnyTask{detail::TaskRef::share(*self)};
}

}  // namespace asyncio

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
      "this task handle is empty (default-constructed or moved from): use one that create_task "
      "returned");
}

std::exception_ptr AnyTask::exception() const {
  TaskControl& task = control();
  if (!task.done()) {
    throw InvalidStateError("exception(): task '" + task.display_name() +
                            "' has not ended yet; await(task) first");
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

std::uint64_t AnyTask::add_done_callback(UniqueFunction<void()> callback) const {
  TaskControl& task = control();
  if (!callback) throw std::invalid_argument("add_done_callback: the callback is empty");
  if (!task.done()) {
    task.inbox->check_thread("add_done_callback");
    if (task.done_callbacks == nullptr) {
      task.done_callbacks = std::make_unique<detail::DoneCallbacks>();
    }
    return task.done_callbacks->add(std::move(callback));
  }
  detail::Scheduler* const scheduler = detail::Scheduler::current();
  if (scheduler == nullptr) {
    throw NoRunningLoopError(
        "add_done_callback: the task has ended, and no event loop runs that could call the "
        "function; call it directly");
  }
  detail::call_soon_reporting(*scheduler, std::move(callback));
  return 0;
}

bool AnyTask::remove_done_callback(std::uint64_t id) const {
  const TaskControl& task = control();
  if (!task.done()) task.inbox->check_thread("remove_done_callback");
  return task.done_callbacks != nullptr && task.done_callbacks->take(id);
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
    throw NotInTaskError("current_task() must be called from a task");
  }
  return AnyTask{detail::TaskRef::share(*self)};
}

}  // namespace asyncio

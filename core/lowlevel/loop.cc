#include <asyncio/core/lowlevel/loop.h>

#include <atomic>
#include <utility>

#include <asyncio/core/detail/of_loop.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/event_loop.h>
#include <asyncio/core/internal/done_callback.h>
#include <asyncio/core/internal/failures.h>
#include <asyncio/core/internal/guest.h>
#include <asyncio/core/internal/process/forks.h>
#include <asyncio/core/internal/scheduler.h>
#include <asyncio/core/internal/slots.h>

namespace asyncio {

detail::Scheduler& detail::running_scheduler_or_throw(const char* call) {
  Scheduler* const scheduler = Scheduler::current();
  if (scheduler == nullptr) throw_no_running_loop(call);
  return *scheduler;
}

void detail::throw_no_running_loop(const char* call) {
  throw NoRunningLoopError(
      std::string{call} + " needs a running event loop: " +
      (Guest::is_there()
           ? "a callback of the host's uses the members of the guest's loop, as "
             "loop.create_task(...), loop.call_later(...), loop.create_future<T>() and "
             "loop.notify_closing(fd)"
           : "call it inside asyncio::run(...), or use a member of a loop, as "
             "loop.create_task(...)"));
}

const char* detail::where_tasks_start() noexcept {
  return Guest::is_there() ? "loop.create_task(...)" : "asyncio::run(...) or create_task(...)";
}

detail::Scheduler* detail::running_scheduler_or_null() noexcept { return Scheduler::current(); }

void detail::check_here(const Scheduler& scheduler, const char* call, const char* what) {
  scheduler.reactor().inbox().check_thread(call);
  const Scheduler* const here = Scheduler::current();
  if (here == nullptr || here == &scheduler) return;
  throw InvalidStateError(
      std::string{call} + ": the " + what +
      " belongs to another event loop; use it on that loop, by call_soon_threadsafe(...)");
}

void detail::report(const Scheduler& scheduler, const std::string& message,
                    const std::exception_ptr& exception) noexcept {
  scheduler.rooms().failures.report(message, exception, nullptr);
}

TimePoint detail::now_of(const Scheduler& scheduler) noexcept { return scheduler.reactor().now(); }

detail::LoopSlotValue& detail::loop_slot(const void* key, std::unique_ptr<LoopSlotValue> (*make)(),
                                         const char* call) {
  return running_scheduler_or_throw(call).rooms().slots.get(key, make);
}

namespace lowlevel {

LoopRef::LoopRef(const char* call)
    : scheduler_(&detail::running_scheduler_or_throw(call)),
      inbox_(&scheduler_->reactor().inbox()),
      epoch_(inbox_->epoch()) {}

LoopRef::LoopRef(EventLoop& loop, const char* call)
    : scheduler_(&loop.rooms().scheduler),
      inbox_(&scheduler_->reactor().inbox()),
      epoch_(inbox_->epoch()) {
  inbox_->check_thread(call);
  detail::check_fork(scheduler_->reactor(), call);
}

void LoopRef::check(const char* call, const char* what) const {
  inbox_->check_thread(call);
  if (inbox_->is_open(epoch_)) return;
  throw ClosedError(std::string{call} + ": the event loop of the " + what +
                    " is gone; call it before run() returns");
}

bool LoopRef::is_running_here() const noexcept {
  return detail::Scheduler::current() == scheduler_ && inbox_->is_open(epoch_);
}

bool LoopRef::is_reachable() const noexcept {
  return inbox_->on_owners_thread() && inbox_->is_open(epoch_);
}

TimePoint LoopRef::now() const noexcept { return detail::now_of(*scheduler_); }

void LoopRef::call_soon(UniqueFunction<void()> callback) const {
  detail::call_soon_reporting(*scheduler_, std::move(callback));
}

void LoopRef::report(const std::string& message,
                     const std::exception_ptr& exception) const noexcept {
  detail::report(*scheduler_, message, exception);
}

TimePoint now(const char* call) { return detail::running_scheduler_or_throw(call).reactor().now(); }

std::uint64_t fork_count() noexcept { return detail::forks.load(std::memory_order_relaxed); }

}  // namespace lowlevel
}  // namespace asyncio

#include <asyncio/concurrency/event.h>

#include <asyncio/core/errors.h>

namespace asyncio {

Event::~Event() {
  while (detail::Waiter* waiter = waiters_.front()) detail::wake(*waiter, detail::Wake::broken);
}

void Event::set() {
  if (!waiters_.empty()) detail::check_loop_thread(*waiters_.front(), "Event::set");
  set_ = true;
  while (detail::Waiter* waiter = waiters_.front()) detail::wake(*waiter);
}

void Event::wait() {
  detail::TaskControl& self = detail::enter_wait("Event::wait");
  if (set_) {
    detail::spend_budget(self);
    return;
  }
  detail::Waiter waiter{detail::WaitKind::event, this};
  waiters_.push_back(waiter);
  const detail::Wake outcome = detail::suspend(self, waiter);
  if (outcome == detail::Wake::broken) {
    throw ClosedError("Event::wait: the event was destroyed while the task waited");
  }
  detail::rethrow_cancel(self, outcome);
}

}  // namespace asyncio

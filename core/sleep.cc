#include <asyncio/core/sleep.h>

#include <thread>

#include <asyncio/core/errors.h>
#include <asyncio/core/internal/loop.h>

namespace asyncio {

namespace {

void sleep_to(detail::TaskControl& self, TimePoint now, TimePoint deadline) {
  if (deadline <= now) {
    self.loop->yield(self);
    return;
  }
  detail::Waiter waiter{detail::WaitKind::timer};
  detail::rethrow_cancel(self, detail::suspend_until(self, waiter, deadline));
}

}  // namespace

void detail::sleep_for(Duration delay) {
  if (Loop::current() == nullptr) {
    std::this_thread::sleep_for(delay);
    return;
  }
  TaskControl& self = enter_wait("sleep");
  const TimePoint now = self.loop->reactor().now();
  sleep_to(self, now, deadline_after(now, delay));
}

void sleep_until(TimePoint deadline) {
  detail::TaskControl& self = detail::enter_wait("sleep_until");
  sleep_to(self, self.loop->reactor().now(), deadline);
}

void yield() {
  detail::TaskControl& self = detail::enter_wait("yield");
  self.loop->yield(self);
}

void checkpoint() { detail::spend_budget(detail::enter_wait("checkpoint")); }

bool is_cancelled() {
  const detail::TaskControl* self = detail::current_task_control();
  if (self == nullptr) {
    throw NotInTaskError("is_cancelled() outside a task: ask task.state() of a handle");
  }
  return self->cancel_pending;
}

NoSuspend::NoSuspend() : task_(current_task().control()) { ++task_.no_suspend; }
NoSuspend::~NoSuspend() { --task_.no_suspend; }

}  // namespace asyncio

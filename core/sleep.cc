#include <asyncio/core/sleep.h>

#include <thread>

#include <asyncio/core/internal/scheduler.h>

namespace asyncio {
namespace {

constexpr lowlevel::WaitReason sleeping{"timer"};
constexpr lowlevel::WaitReason sleeping_forever{"a cancel"};

void sleep_to(lowlevel::CurrentTask self, TimePoint now, TimePoint deadline) {
  if (deadline <= now) return self.yield();
  lowlevel::Waiter waiter{sleeping};
  self.suspend_until(waiter, deadline);
}

}  // namespace

void detail::sleep_for(Duration delay) {
  if (Scheduler::current() == nullptr) {
    std::this_thread::sleep_for(delay);
    return;
  }
  const lowlevel::CurrentTask self = lowlevel::enter("sleep");
  const TimePoint now = self.control().scheduler->reactor().now();
  sleep_to(self, now, deadline_after(now, delay));
}

void sleep_until(TimePoint deadline) {
  const lowlevel::CurrentTask self = lowlevel::enter("sleep_until");
  sleep_to(self, self.control().scheduler->reactor().now(), deadline);
}

void sleep_forever() {
  lowlevel::CurrentTask self = lowlevel::enter("sleep_forever");
  for (;;) {
    lowlevel::Waiter waiter{sleeping_forever};
    self.suspend(waiter);
  }
}

}  // namespace asyncio

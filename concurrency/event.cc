#include <asyncio/concurrency/event.h>

namespace asyncio {
namespace {

constexpr lowlevel::WaitQueue::Kind event_wait{"event"};

}  // namespace

void Event::set() {
  waiting_.check_thread("Event::set");
  set_ = true;
  waiting_.wake_all();
}

void Event::wait() {
  lowlevel::CurrentTask self = lowlevel::enter("Event::wait");
  if (set_) return self.spend();
  waiting_.wait(self, event_wait, "Event::wait");
}

}  // namespace asyncio

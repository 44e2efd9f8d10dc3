#include <asyncio/core/descriptors.h>

#include <asyncio/core/event_loop.h>
#include <asyncio/core/internal/scheduler.h>

namespace asyncio {
namespace {

using lowlevel::Direction;

bool wait_for_fd(int fd, Direction direction, const Duration* timeout, const char* call) {
  const lowlevel::CurrentTask self = lowlevel::enter(call);
  detail::Reactor& reactor = self.control().scheduler->reactor();
  if (timeout == nullptr) {
    reactor.descriptors().wait(self, fd, direction, nullptr, call);
    return true;
  }
  const TimePoint deadline = deadline_after(reactor.now(), *timeout);
  return reactor.descriptors().wait(self, fd, direction, &deadline, call) ==
         lowlevel::Wake::completed;
}

}  // namespace

void wait_readable(int fd) { wait_for_fd(fd, Direction::read, nullptr, "wait_readable"); }

void wait_writable(int fd) { wait_for_fd(fd, Direction::write, nullptr, "wait_writable"); }

bool detail::wait_readable_for(int fd, Duration timeout) {
  return wait_for_fd(fd, Direction::read, &timeout, "wait_readable");
}

bool detail::wait_writable_for(int fd, Duration timeout) {
  return wait_for_fd(fd, Direction::write, &timeout, "wait_writable");
}

void notify_closing(int fd) { detail::running_loop_or_throw("notify_closing").notify_closing(fd); }

}  // namespace asyncio

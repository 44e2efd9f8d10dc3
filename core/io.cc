#include <asyncio/core/io.h>

#include <asyncio/core/errors.h>
#include <asyncio/core/internal/loop.h>

namespace asyncio {
namespace {

bool wait_for_fd(int fd, detail::Direction direction, const Duration* timeout, const char* call) {
  detail::TaskControl& self = detail::enter_wait(call);
  detail::Reactor& reactor = self.loop->reactor();
  if (timeout == nullptr) {
    reactor.wait_fd(self, fd, direction, nullptr, call);
    return true;
  }
  const TimePoint deadline = deadline_after(reactor.now(), *timeout);
  return reactor.wait_fd(self, fd, direction, &deadline, call) == detail::Wake::completed;
}

}  // namespace

void wait_readable(int fd) { wait_for_fd(fd, detail::Direction::read, nullptr, "wait_readable"); }

void wait_writable(int fd) { wait_for_fd(fd, detail::Direction::write, nullptr, "wait_writable"); }

bool detail::wait_readable_for(int fd, Duration timeout) {
  return wait_for_fd(fd, Direction::read, &timeout, "wait_readable");
}

bool detail::wait_writable_for(int fd, Duration timeout) {
  return wait_for_fd(fd, Direction::write, &timeout, "wait_writable");
}

void notify_closing(int fd) {
  detail::Loop* loop = detail::Loop::current();
  if (loop == nullptr) {
    throw NoRunningLoopError("notify_closing where no loop runs: there is nobody to tell");
  }
  loop->reactor().notify_closing(fd);
}

}  // namespace asyncio

#include <asyncio/core/lowlevel/descriptor.h>

#include <stdexcept>
#include <string>

#include <unistd.h>

#include <asyncio/core/errors.h>
#include <asyncio/core/internal/scheduler.h>

namespace asyncio::lowlevel {

OwnedDescriptor::OwnedDescriptor(int fd, const char* call) : loop_(call), fd_(fd) {
  if (fd < 0) {
    throw std::invalid_argument(std::string{call} + "(fd " + std::to_string(fd) +
                                "): give it a descriptor that is open");
  }
  loop_.scheduler_->reactor().descriptors().take_over(fd, call);
}

OwnedDescriptor& OwnedDescriptor::operator=(OwnedDescriptor&& other) noexcept {
  if (this == &other) return *this;
  close();
  loop_ = other.loop_;
  fd_ = std::exchange(other.fd_, -1);
  return *this;
}

void OwnedDescriptor::check(const char* call) const {
  if (!is_open()) throw ClosedError(std::string{call} + ": it is closed already");
  if (loop_.is_running_here()) [[likely]]
    return;
  loop_.check(call, "descriptor");
  throw InvalidStateError(std::string{call} + "(fd " + std::to_string(fd_) +
                          "): it belongs to another loop than runs here; release() it there, and "
                          "take it over here");
}

void OwnedDescriptor::wait(CurrentTask self, Direction direction, const char* call) {
  check(call);
  self.control().scheduler->reactor().descriptors().wait_as_owner(self, fd_, direction, nullptr,
                                                                  call);
}

bool OwnedDescriptor::wait_until(CurrentTask self, Direction direction, TimePoint deadline,
                                 const char* call) {
  check(call);
  return self.control().scheduler->reactor().descriptors().wait_as_owner(
             self, fd_, direction, &deadline, call) == Wake::completed;
}

void OwnedDescriptor::forget() noexcept {
  // Elsewhere the loop cannot be told.  What it keeps under the number is dropped when somebody
  // takes the number over.
  if (!loop_.is_reachable()) return;
  loop_.scheduler_->reactor().notify_closing(fd_);
}

void OwnedDescriptor::close() noexcept {
  if (!is_open()) return;
  forget();
  // Not again after EINTR: on Linux the number is free by then, and may be somebody else's.
  ::close(std::exchange(fd_, -1));
}

int OwnedDescriptor::release() noexcept {
  if (is_open()) forget();
  return std::exchange(fd_, -1);
}

}  // namespace asyncio::lowlevel

// The guest of a host of any kind, which watches one descriptor.
//
// That descriptor is an epoll set with one member, the set of what our tasks wait for.  For work
// that shows on no descriptor the runtime rings one of its own in there.  Facts about epoll that
// shape this file:
//  * A set is readable while one of its members is ready, and may be a member itself.  So the inner
//    set can be made anew unnoticed by the host, whose own loop may be an epoll set that would
//    forget a closed descriptor.
//  * A closed descriptor leaves the set by itself, unless a duplicate lives on: then it stays, and
//    no call can name it any more.  The runtime notices, and the set is made anew.
//  * After a fork both processes have the same sets, and each would change the other's.
#include <asyncio/backends/any_loop.h>

#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <asyncio/core/errors.h>

namespace asyncio::backends {
namespace {

bool is_closed(int fd) noexcept { return ::fcntl(fd, F_GETFD) == -1 && errno == EBADF; }

std::uint32_t to_epoll(Interest interest) noexcept {
  return (any(interest & Interest::read) ? EPOLLIN : 0U) |
         (any(interest & Interest::write) ? EPOLLOUT : 0U);
}

/// An error or a hang-up counts as both directions: every waiter must wake up and find out.
Interest from_epoll(std::uint32_t events) noexcept {
  const bool both = (events & (EPOLLERR | EPOLLHUP)) != 0;
  return (both || (events & EPOLLIN) != 0 ? Interest::read : Interest::none) |
         (both || (events & EPOLLOUT) != 0 ? Interest::write : Interest::none);
}

class OwnedFd {
 public:
  OwnedFd(int fd, const char* what) : fd_(fd) {
    if (fd >= 0) return;
    throw BackendError(std::string{"attach_by_descriptor: cannot make "} + what + ": " +
                       std::generic_category().message(errno));
  }
  ~OwnedFd() {
    if (fd_ >= 0) ::close(fd_);
  }
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd& operator=(OwnedFd other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

OwnedFd make_set() { return {::epoll_create1(EPOLL_CLOEXEC), "an epoll set"}; }

void add_member(const OwnedFd& set, const OwnedFd& member) {
  epoll_event event{EPOLLIN, {.fd = member.get()}};
  if (::epoll_ctl(set.get(), EPOLL_CTL_ADD, member.get(), &event) == 0) return;
  throw BackendError("attach_by_descriptor: epoll refuses a member: " +
                     std::generic_category().message(errno));
}

constexpr int most_events = 256;  // per look; the rest are reported in the next

class AnyLoopGuest final : public EventLoopInterface {
 public:
  AnyLoopGuest()
      : EventLoopInterface("any", Precision::coarse, Driver::host),
        hosts_(make_set()),
        ours_(make_set()) {
    add_member(hosts_, ours_);
  }

 private:
  int native_fd() const noexcept override { return hosts_.get(); }

  int watch(int fd, Interest wanted) noexcept override {
    const auto index = static_cast<std::size_t>(fd);  // a negative one is beyond any size
    if (!any(wanted)) {
      if (index >= watched_.size() || !any(watched_[index])) return 0;
      watched_[index] = Interest::none;
      ::epoll_ctl(ours_.get(), EPOLL_CTL_DEL, fd, nullptr);  // fails harmlessly if it is closed
      return 0;
    }
    if (index >= watched_.size()) {
      if (fd < 0 || is_closed(fd)) return EBADF;  // only an open number may make the table grow
      try {
        gone_.reserve(std::max(index + 1, 2 * watched_.size()));
        watched_.resize(gone_.capacity());
      } catch (const std::bad_alloc&) {
        return ENOMEM;
      }
    }
    const int error = tell_kernel(fd, wanted, any(watched_[index]));
    watched_[index] = error == 0 ? wanted : Interest::none;
    return error;
  }

  // The number may stand for another file by now: then it is in the set although we think it is
  // not, or the other way round.
  int tell_kernel(int fd, Interest wanted, bool known) noexcept {
    epoll_event event{to_epoll(wanted), {.fd = fd}};
    if (::epoll_ctl(ours_.get(), known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0) return 0;
    if (errno != (known ? ENOENT : EEXIST)) return errno;
    known = !known;
    return ::epoll_ctl(ours_.get(), known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) == 0 ? 0
                                                                                            : errno;
  }

  // The host waits.
  void wait(TimePoint /*until*/, ReadySink& sink) override {
    for (const int fd : gone_) {
      if (!any(watched_[static_cast<std::size_t>(fd)])) sink.dead(fd);
    }
    gone_.clear();  // its capacity stays, for when there is no memory
    const int found = ::epoll_wait(ours_.get(), events_.data(), most_events, 0);
    if (found < 0 && errno != EINTR) {
      throw BackendError("epoll cannot wait: " + std::generic_category().message(errno));
    }
    for (int i = 0; i < found; ++i) {
      const epoll_event& event = events_[static_cast<std::size_t>(i)];
      sink.ready(event.data.fd, from_epoll(event.events));
    }
  }

  void after_fork() override {
    OwnedFd ours = make_set();
    if (::getpid() != process_) {  // otherwise only our own set has to be replaced
      hosts_ = make_set();
      process_ = ::getpid();
    }
    add_member(hosts_, ours);
    ours_ = std::move(ours);  // closing the old one takes it out of the host's
    for (std::size_t index = 0; index < watched_.size(); ++index) {
      if (!any(watched_[index])) continue;
      const int fd = static_cast<int>(index);
      if (tell_kernel(fd, watched_[index], false) == 0) continue;
      watched_[index] = Interest::none;
      gone_.push_back(fd);
    }
  }

  void detach() noexcept override {
    ::epoll_ctl(hosts_.get(), EPOLL_CTL_DEL, ours_.get(), nullptr);
  }

  OwnedFd hosts_;  ///< what the host watches
  OwnedFd ours_;   ///< what our tasks wait for
  ::pid_t process_ = ::getpid();
  std::vector<Interest> watched_;  ///< by descriptor
  std::vector<int> gone_;          ///< could not be added to a new set; with room for all
  std::array<epoll_event, most_events> events_;
};

}  // namespace
}  // namespace asyncio::backends

namespace asyncio {

std::unique_ptr<EventLoopInterface> attach_by_descriptor() {
  return std::make_unique<backends::AnyLoopGuest>();
}

}  // namespace asyncio

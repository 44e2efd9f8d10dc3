// A backend over poll(2).  backends/README.md walks through it.
//
// Facts about poll that shape this file:
//  * The kernel remembers nothing: the whole list of descriptors goes in with every call.  So there
//    is nothing to assert anew, and nothing to share with the child of a fork.
//  * Readiness is level-triggered, which is what the contract asks for.
//  * POLLERR and POLLHUP are reported without being asked for, and are not a direction.
//  * A closed descriptor does not fail the call: its own entry says POLLNVAL, at once and every
//    time.
//  * A negative number is skipped silently: a task that waited on it would wait forever.
//  * The timeout is an int of milliseconds.  Hence Precision::coarse: the runtime watches a
//    timerfd, a descriptor like any other, for whatever is finer.
//  * More entries than RLIMIT_NOFILE are EINVAL.  That many can be open only if the limit was
//    lowered.
#include "poll_backend.h"

#include <fcntl.h>
#include <poll.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <asyncio/core/errors.h>
#include <asyncio/core/time.h>

namespace third_party {
namespace {

using asyncio::any;
using asyncio::Interest;

bool is_open(int fd) noexcept { return ::fcntl(fd, F_GETFD) != -1; }

short to_poll(Interest wanted) noexcept {
  return static_cast<short>((any(wanted & Interest::read) ? POLLIN : 0) |
                            (any(wanted & Interest::write) ? POLLOUT : 0));
}

Interest from_poll(short events) noexcept {
  return ((events & POLLIN) != 0 ? Interest::read : Interest::none) |
         ((events & POLLOUT) != 0 ? Interest::write : Interest::none);
}

/// What to report for an entry.  A task that waits on a descriptor with an error, or whose other
/// end has hung up, must wake up and find out.
Interest ready_directions(const pollfd& entry) noexcept {
  const bool broken = (entry.revents & (POLLERR | POLLHUP)) != 0;
  return from_poll(broken ? entry.events : entry.revents);
}

/// poll's timeout for a wait until `until`.
int timeout(asyncio::TimePoint until) noexcept {
  if (until == asyncio::TimePoint::max()) return -1;
  const asyncio::TimePoint now = asyncio::Clock::now();
  if (until <= now) return 0;
  // Rounded down, the last millisecond of each wait would be spent in polls that do not block.
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now).count();
  // If it is more than an int holds, this wakes early, and the runtime waits again.
  constexpr int most = std::numeric_limits<int>::max();
  return left < most ? static_cast<int>(left) : most;
}

class PollBackend final : public asyncio::EventLoopInterface {
 public:
  PollBackend() : EventLoopInterface("poll", Precision::coarse) {}

 private:
  int watch(int fd, Interest wanted) noexcept override {
    const bool known = fd >= 0 && number(fd) < places_.size() && places_[number(fd)] != nowhere;
    if (!any(wanted)) {
      if (known) drop(fd);
      return 0;
    }
    if (known) {
      polled_[places_[number(fd)]].events = to_poll(wanted);
      return 0;
    }
    // Checked here, so that only an open number can make the table grow.
    if (!is_open(fd)) return EBADF;
    try {
      add(fd, wanted);
    } catch (const std::bad_alloc&) {
      return ENOMEM;
    }
    return 0;
  }

  void wait(asyncio::TimePoint until, asyncio::ReadySink& sink) override {
    int found = ::poll(polled_.data(), polled_.size(), timeout(until));
    if (found < 0) {
      if (errno == EINTR) return;  // a signal: waking early is allowed
      throw asyncio::BackendError("poll cannot wait on " + std::to_string(polled_.size()) +
                                  " descriptors: " + std::generic_category().message(errno));
    }
    std::size_t place = 0;
    while (found > 0) {
      const pollfd entry = polled_[place];
      if (entry.revents != 0) --found;
      if ((entry.revents & POLLNVAL) != 0) {
        drop(entry.fd);  // another entry moves to its place, and is next
        sink.dead(entry.fd);
        continue;
      }
      if (entry.revents != 0) sink.ready(entry.fd, ready_directions(entry));
      ++place;
    }
  }

  void after_fork() override {}  // no kernel object to share

  static std::size_t number(int fd) noexcept { return static_cast<std::size_t>(fd); }

  void add(int fd, Interest wanted) {
    if (number(fd) >= places_.size()) places_.resize(number(fd) + 1, nowhere);
    polled_.push_back({fd, to_poll(wanted), 0});
    places_[number(fd)] = polled_.size() - 1;  // last: watch() goes by it
  }

  /// The last entry moves to the place of this one.
  void drop(int fd) noexcept {
    const std::size_t place = std::exchange(places_[number(fd)], nowhere);
    if (place != polled_.size() - 1) {
      polled_[place] = polled_.back();
      places_[number(polled_[place].fd)] = place;
    }
    polled_.pop_back();
  }

  static constexpr auto nowhere = std::numeric_limits<std::size_t>::max();

  std::vector<pollfd> polled_;       // what poll gets: those that are watched, in no order
  std::vector<std::size_t> places_;  // by descriptor: where it stands in polled_
};

}  // namespace

asyncio::BackendInfo poll_backend() {
  return {"poll", -1, [] { return std::make_unique<PollBackend>(); }};
}

}  // namespace third_party

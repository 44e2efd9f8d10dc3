// A walk through writing a backend, over poll(2).  It uses public headers only, as a third party
// would.
//
// First write down the facts about the mechanism that shape the file.  About poll:
//  * The kernel remembers nothing: the whole list of descriptors goes in with every call, so there
//    is nothing to register, nothing to re-assert, and nothing to share with the child of a fork.
//  * Readiness is level-triggered, which is what the contract asks for.
//  * POLLERR and POLLHUP come unasked, in whatever direction one waits.
//  * A closed descriptor does not fail the call; its own entry says POLLNVAL.
//  * The timeout is an int of milliseconds.
#include <asyncio/tests/backends/dummy_backend.h>

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <limits>
#include <memory>
#include <new>
#include <system_error>
#include <vector>

#include <asyncio/core/errors.h>

namespace asyncio::test {
namespace {

// Step 1: a class of its own.  `final` and in an anonymous namespace, because nobody needs more of
// it than the factory at the end of the file.
class PollInterface final : public EventLoopInterface {
 public:
  // Step 2: a name, and how exactly wait() keeps a deadline.  Whole milliseconds are "coarse": the
  // runtime then watches a timerfd, a descriptor like any other, for whatever is finer.
  PollInterface() : EventLoopInterface("dummy", Precision::coarse) {}

 private:
  // Step 3: watch().  Called when the interest in a descriptor changes, not for every wait.  It
  // must not throw, so running out of memory becomes an errno like any other.
  int watch(int fd, Interest wanted) noexcept override {
    // poll skips negative numbers in silence; a task that waited on one would wait for ever.
    if (fd < 0) return any(wanted) ? EBADF : 0;

    const auto place = std::find_if(polled_.begin(), polled_.end(),
                                    [fd](const pollfd& entry) { return entry.fd == fd; });

    // Interest::none ends the watch, and is right for a descriptor that is closed already, or was
    // never watched at all.
    if (!any(wanted)) {
      if (place != polled_.end()) polled_.erase(place);
      return 0;
    }

    // The same interest once more means: the number may stand for another file by now, tell the
    // kernel anew.  poll is told anew in every call, so there is no such case here.
    if (place != polled_.end()) {
      place->events = to_poll(wanted);
      return 0;
    }
    try {
      polled_.push_back({fd, to_poll(wanted), 0});
    } catch (const std::bad_alloc&) {
      return ENOMEM;
    }

    // Whether fd is open at all turns out in wait(), which then says dead().  A mechanism that
    // knows it here returns EBADF here.
    return 0;
  }

  // Step 4: wait().  One system call, then the report.
  void wait(TimePoint until, ReadySink& sink) override {
    const int found = ::poll(polled_.data(), polled_.size(), timeout(until));
    if (found < 0) {
      // A signal: waking early is allowed, and the runtime knows best what to do then.
      if (errno == EINTR) return;
      throw BackendError("poll cannot wait: " + std::generic_category().message(errno));
    }

    bool closed = false;
    for (pollfd& entry : polled_) {
      if (entry.revents == 0) continue;
      if ((entry.revents & POLLNVAL) != 0) {
        // No such descriptor.  Left in the list it would end every poll at once, so it must go;
        // after the loop, since erasing would move the entries still to be looked at.
        sink.dead(entry.fd);
        entry.fd = -1;
        closed = true;
        continue;
      }
      // The sink's functions are noexcept, and do not call back into the backend: there is no need
      // to copy the list first.
      sink.ready(entry.fd, from_poll(entry.revents));
    }
    if (closed) std::erase_if(polled_, [](const pollfd& entry) { return entry.fd < 0; });
  }

  // Step 5: after_fork().  In the child, a mechanism with a kernel object (epoll) makes a new one
  // here and registers everything again: the old one is still the parent's.  poll has none.
  void after_fork() override {}

  /// poll's timeout for `until`.
  static int timeout(TimePoint until) {
    if (until == TimePoint::max()) return -1;
    const TimePoint now = Clock::now();
    if (until <= now) return 0;
    // Rounded up.  Rounded down, the last millisecond of every wait would be spent in polls of
    // zero.
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now).count();
    // More than an int holds: wake early, the runtime will wait again.
    constexpr auto most = std::numeric_limits<int>::max();
    return left < most ? static_cast<int>(left) : most;
  }

  static short to_poll(Interest wanted) {
    return static_cast<short>((any(wanted & Interest::read) ? POLLIN : 0) |
                              (any(wanted & Interest::write) ? POLLOUT : 0));
  }

  /// An error or a hang-up counts as both directions: whoever waits must wake up and find out.
  static Interest from_poll(int events) {
    Interest directions = Interest::none;
    if ((events & (POLLIN | POLLERR | POLLHUP)) != 0) directions = directions | Interest::read;
    if ((events & (POLLOUT | POLLERR | POLLHUP)) != 0) directions = directions | Interest::write;
    return directions;
  }

  std::vector<pollfd> polled_;
};

}  // namespace

// Step 6: what the registry needs.  The rank says how early "auto" tries it; a negative one comes
// after all of ours, so that tests get it only by asking for it.
BackendInfo dummy_backend() {
  return {"dummy", -1, [] { return std::make_unique<PollInterface>(); }};
}

// Step 7: make it known, before the first loop that is to use it.  By a call, not by a static
// object: a linker leaves those out of a static library.  A second registration of one name is an
// error.
void register_dummy_backend() {
  [[maybe_unused]] static const bool done = (register_backend(dummy_backend()), true);
}

// Step 8: run the conformance tests on it.  They hold every sentence of the contract.

}  // namespace asyncio::test

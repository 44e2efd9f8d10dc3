// The libevent backend, "event".
//
// Facts about libevent that shape this file (2.1.12, its epoll mechanism); event_base.cc has those
// that shape the making of a base:
//  * event_add and event_del tell the kernel at once: one epoll_ctl each, none between.  So one
//    persistent event for each descriptor, and errors come back from watch() (with a line of
//    libevent's on stderr, whose only switch is one for the whole process).
//  * An event_del for a descriptor that is closed, or whose number names another file by now, fails
//    quietly.  That is what makes "watch it anew" work as event_del, event_add.
//  * EVLOOP_ONCE loops inside until some event was active: a signal alone does not end it, nor does
//    what the kernel reports for a descriptor without an event.  A descriptor that was first closed
//    and then unwatched may still be reported, if a duplicate of it lives on, and no system call
//    can end that: event_base_loop would spin.  So such an event is left in place, as a ghost: if
//    it ever shows up, a new epoll set is made.
//  * EVLOOP_NONBLOCK without EVLOOP_ONCE loops as long as anything is ready.  So a poll uses both.
//  * With no event at all event_base_loop returns 1 at once; EVLOOP_NO_EXIT_ON_EMPTY makes it wait.
//  * event_base_free does an EPOLL_CTL_DEL for every event: in the child of a fork that would be
//    the parent's epoll set.  event_reinit makes a new one first; it fails, having done the rest,
//    if one descriptor cannot be added.
#include <asyncio/backends/libevent/event_base.h>
#include <asyncio/core/backend_registry.h>

#include <event2/event.h>
#include <fcntl.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <asyncio/core/errors.h>

namespace asyncio::backends {
namespace {

bool is_closed(int fd) noexcept { return ::fcntl(fd, F_GETFD) == -1 && errno == EBADF; }

short to_libevent(Interest interest) noexcept {  // NOLINT(google-runtime-int): libevent's type
  return static_cast<short>((any(interest & Interest::read) ? EV_READ : 0) |
                            (any(interest & Interest::write) ? EV_WRITE : 0));
}

Interest from_libevent(int what) noexcept {
  return ((what & EV_READ) != 0 ? Interest::read : Interest::none) |
         ((what & EV_WRITE) != 0 ? Interest::write : Interest::none);
}

class LibeventBackend final : public EventLoopInterface {
 public:
  LibeventBackend()
      : EventLoopInterface("event", Precision::coarse),
        tick_(clock_tick()),
        own_(make_base()),
        timer_(make_timer()) {}

 private:
  /// The one event of a descriptor.
  struct Watch {
    enum class State : unsigned char {
      off,
      on,
      ghost,  // unwatched, but left in libevent
    };
    EventPointer native;
    State state = State::off;
  };

  int watch(int fd, Interest wanted) noexcept override {
    Watch* entry = find(fd);
    if (!any(wanted)) {
      if (entry != nullptr) unwatch(*entry, fd);
      return 0;
    }
    const auto flags = static_cast<short>(EV_PERSIST | to_libevent(wanted));
    if (entry != nullptr) {
      event_del(entry->native.get());
      event_assign(entry->native.get(), base_, fd, flags, on_ready, this);
    } else {
      if (!may_add(fd)) return EBADF;
      entry = add(fd, flags);
      if (entry == nullptr) return ENOMEM;
    }
    return start(*entry);
  }

  void wait(TimePoint until, ReadySink& sink) override {
    sink_ = &sink;
    if (ghost_seen_) {
      rebuild();
      sink.rebuilt();
    }
    if (report_dead(sink)) return;
    const int poll = blocks(until) ? 0 : EVLOOP_NONBLOCK;
    const int result = event_base_loop(base_, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY | poll);
    const int error = errno;
    if (result < 0) {
      throw BackendError("libevent cannot wait: " + std::generic_category().message(error));
    }
  }

  void after_fork() override { rebuild(); }

  EventPointer make_timer() {
    EventPointer made(event_new(base_, -1, 0, on_timer, this));
    if (!made) throw std::bad_alloc();
    return made;
  }

  /// Adds the event.  Returns 0, or the errno.
  static int start(Watch& entry) noexcept {
    errno = 0;
    const bool added = event_add(entry.native.get(), nullptr) == 0;
    entry.state = added ? Watch::State::on : Watch::State::off;
    if (added) return 0;
    return errno != 0 ? errno : EBADF;  // printing a warning may have changed errno
  }

  static void unwatch(Watch& entry, int fd) noexcept {
    if (entry.state != Watch::State::off && is_closed(fd)) {
      entry.state = Watch::State::ghost;
    } else {
      event_del(entry.native.get());
      entry.state = Watch::State::off;
    }
  }

  /// Makes a new epoll set, without ghosts.
  void rebuild() {
    ghost_seen_ = false;
    // In the child of a fork the set is still the parent's here.  An event_del for a closed
    // descriptor does not reach it: the kernel finds no file behind the number.
    for (std::size_t index = 0; index < watches_.size(); ++index) {
      Watch& entry = watches_[index];
      const int fd = static_cast<int>(index);
      if (entry.state == Watch::State::off) continue;
      if (entry.state == Watch::State::on && !is_closed(fd)) continue;
      event_del(entry.native.get());
      if (std::exchange(entry.state, Watch::State::off) == Watch::State::on) dead_.push_back(fd);
    }
    if (event_reinit(base_) == 0) return;
    // Some number now names a file that cannot be watched.  libevent does not say which.
    for (std::size_t index = 0; index < watches_.size(); ++index) {
      Watch& entry = watches_[index];
      if (entry.state == Watch::State::off) continue;
      event_del(entry.native.get());
      if (start(entry) != 0) dead_.push_back(static_cast<int>(index));
    }
  }

  Watch* find(int fd) noexcept {
    const auto index = static_cast<std::size_t>(fd);  // a negative one is beyond any size
    return index < watches_.size() && watches_[index].native ? &watches_[index] : nullptr;
  }

  /// Only an open number may make the table grow.
  bool may_add(int fd) const noexcept {
    return fd >= 0 && (static_cast<std::size_t>(fd) < watches_.size() || !is_closed(fd));
  }

  /// Returns null if there is no memory.
  Watch* add(int fd, short flags) noexcept {  // NOLINT(google-runtime-int): libevent's type
    const auto index = static_cast<std::size_t>(fd);
    try {
      if (index >= watches_.size()) watches_.resize(std::max(index + 1, 2 * watches_.size()));
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
    Watch& entry = watches_[index];
    entry.native.reset(event_new(base_, fd, flags, on_ready, this));
    return entry.native ? &entry : nullptr;
  }

  bool report_dead(ReadySink& sink) {
    bool reported = false;
    for (const int fd : dead_) {
      const Watch& entry = watches_[static_cast<std::size_t>(fd)];
      if (entry.state != Watch::State::off) continue;  // watched anew meanwhile
      sink.dead(fd);
      reported = true;
    }
    dead_.clear();
    return reported;
  }

  /// Returns whether to block, with the timer set to end the wait.
  bool blocks(TimePoint until) {
    if (until == TimePoint::max()) {
      if (timer_until_ != TimePoint::max()) event_del(timer_.get());
      timer_until_ = TimePoint::max();
      return true;
    }
    if (until == TimePoint::min()) return false;  // a poll need not look at the clock
    if (until == timer_until_ && event_pending(timer_.get(), EV_TIMEOUT, nullptr) != 0) return true;
    const TimePoint now = Clock::now();
    if (until <= now) return false;
    // At most a day: the wait may end early, and the sum must not overflow.
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        std::min<Duration>(until - now, std::chrono::hours(24)) + tick_);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    timeval delay{};
    delay.tv_sec = seconds.count();
    delay.tv_usec = std::chrono::microseconds(left - seconds).count();
    event_add(timer_.get(), &delay);  // replaces what it was set for
    timer_until_ = until;
    return true;
  }

  // ---- Called by libevent, inside event_base_loop.  An exception would ruin the base.  ---------

  static void on_ready(evutil_socket_t fd, short what, void* argument) noexcept {
    auto& self = *static_cast<LibeventBackend*>(argument);
    if (self.watches_[static_cast<std::size_t>(fd)].state == Watch::State::ghost) {
      self.ghost_seen_ = true;
    } else {
      self.sink_->ready(fd, from_libevent(what));
    }
  }

  static void on_timer(evutil_socket_t /*fd*/, short /*what*/, void* /*self*/) noexcept {
    // Its firing has ended the wait.
  }

  const Duration tick_;
  BasePointer own_;
  event_base* const base_ = own_.get();
  EventPointer timer_;
  TimePoint timer_until_ = TimePoint::max();  // what timer_ was last set for; max() for not at all
  std::vector<Watch> watches_;                // by descriptor
  std::vector<int> dead_;                     // found by rebuild(), for the next wait() to report
  bool ghost_seen_ = false;
  ReadySink* sink_ = nullptr;
};

}  // namespace

BackendInfo libevent();  // the generated table declares it likewise

BackendInfo libevent() {
  return {"event", 200, [] { return std::make_unique<LibeventBackend>(); }};
}

}  // namespace asyncio::backends

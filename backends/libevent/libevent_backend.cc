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
// As the guest of a host's base the events are the same, and the host calls event_base_loop.  There
// are no hooks before it blocks, so a timer of no delay is added when there is work: it lets the
// host's own events have their turn in between.  Then:
//  * event_base_free tells nobody, so one of our events is always in the host's base: SignOfLife.
//  * event_del, event_free and event_pending go to the base that the event was made for, which may
//    be freed by then.  event_assign does not: it moves events to our own base.  And we have to
//    know ourselves what is watched.
#include <asyncio/backends/libevent.h>
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
#include <optional>
#include <stdexcept>
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
        base_(own_.get()),
        timer_(make_event(base_, on_timer)) {}

  /// Makes the guest of `host`.  Its own base is made now, because leaving the host must not fail.
  LibeventBackend(event_base* host, const AttachOptions& options)
      : EventLoopInterface("event", Precision::coarse, Driver::host),
        tick_(clock_tick()),
        own_(make_base()),
        base_(host),
        timer_(make_event(own_.get(), on_timer)),
        host_(std::in_place, host),
        call_(make_event(host, on_call)),
        budget_(options.budget) {}

  ~LibeventBackend() override { detach(); }

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
    leave_if_freed();
    Watch* entry = find(fd);
    if (!any(wanted)) {
      if (entry != nullptr) unwatch(*entry, fd);
      return 0;
    }
    const auto flags = static_cast<short>(EV_PERSIST | to_libevent(wanted));
    if (entry != nullptr) {
      event_del(entry->native.get());
      event_assign(entry->native.get(), base_, fd, flags, on_ready, this);
      yield_to_hosts(entry->native.get());
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
    if (report_dead(sink) || host_) return;
    const int poll = blocks(until) ? 0 : EVLOOP_NONBLOCK;
    const int result = event_base_loop(base_, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY | poll);
    const int error = errno;
    if (result < 0) {
      throw BackendError("libevent cannot wait: " + std::generic_category().message(error));
    }
  }

  // A host makes its own base anew, by event_reinit.
  void after_fork() override {
    if (!host_) {
      rebuild();
    } else if (event_reinit(own_.get()) != 0) {
      throw BackendError("libevent cannot recreate its base in a forked child");
    }
  }

  void work_arrived() noexcept override {
    leave_if_freed();
    if (!host_) return;
    const timeval none{};
    event_add(call_.get(), &none);
  }

  /// To be called before anything that touches the host's base at a time when the host may not run.
  void leave_if_freed() noexcept {
    if (host_ && !host_->is_seen()) detach();
  }

  /// Moves the events over to our own base.
  void detach() noexcept override {
    if (!host_) return;
    base_ = own_.get();
    take_home(call_.get());
    call_.reset();
    for (std::size_t index = 0; index < watches_.size(); ++index) {
      Watch& entry = watches_[index];
      const int fd = static_cast<int>(index);
      if (!entry.native) continue;
      const bool watched = std::exchange(entry.state, Watch::State::off) == Watch::State::on;
      take_home(entry.native.get());
      if (watched && (is_closed(fd) || start(entry) != 0)) dead_.push_back(fd);
    }
    host_.reset();
  }

  /// Takes an event out of the host's base, if that lives, and moves it to our own.
  void take_home(event* ours) noexcept {
    if (host_->is_seen()) event_del(ours);
    event_assign(ours, own_.get(), event_get_fd(ours), event_get_events(ours),
                 event_get_callback(ours), this);  // which has one priority
  }

  EventPointer make_event(event_base* base, event_callback_fn callback) {
    EventPointer made(event_new(base, -1, 0, callback, this));
    if (!made) throw std::bad_alloc();
    yield_to_hosts(made.get());
    return made;
  }

  /// libevent calls an event only when none of a higher priority is left: with any but the lowest
  /// priority, busy tasks would lock out the host's lower ones.
  static void yield_to_hosts(event* ours) noexcept {
    event_priority_set(ours, event_base_get_npriorities(event_get_base(ours)) - 1);
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
    if (entry.native) yield_to_hosts(entry.native.get());
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

  static void on_call(evutil_socket_t /*fd*/, short /*what*/, void* argument) noexcept {
    auto& self = *static_cast<LibeventBackend*>(argument);
    if (self.process(self.budget_)) self.work_arrived();
  }

  static void on_timer(evutil_socket_t /*fd*/, short /*what*/, void* /*self*/) noexcept {
    // Its firing has ended the wait.
  }

  const Duration tick_;
  BasePointer own_;
  event_base* base_;  // own_, or the host's: the one that the watches are in
  EventPointer timer_;
  TimePoint timer_until_ = TimePoint::max();  // what timer_ was last set for; max() for not at all
  std::vector<Watch> watches_;                // by descriptor
  std::vector<int> dead_;                     // found by rebuild(), for the next wait() to report
  bool ghost_seen_ = false;
  ReadySink* sink_ = nullptr;

  // As a guest
  std::optional<SignOfLife> host_;  // empty once the guest has left
  EventPointer call_;               // makes the host call process()
  Duration budget_{};
};

}  // namespace

BackendInfo libevent();  // the generated table declares it likewise

BackendInfo libevent() {
  return {"event", 200, [] { return std::make_unique<LibeventBackend>(); }};
}

}  // namespace asyncio::backends

namespace asyncio {

std::unique_ptr<EventLoopInterface> attach(event_base* host, const AttachOptions& options) {
  if (host == nullptr) {
    throw std::invalid_argument("attach(nullptr): pass the event_base that the program runs");
  }
  // Other major or minor versions lay their structures out differently.
  if ((event_get_version_number() ^ LIBEVENT_VERSION_NUMBER) >> 16 != 0) {
    throw BackendError(
        "attach: the program has loaded a libevent other than the one that asyncio was built for");
  }
  return std::make_unique<backends::LibeventBackend>(host, options);
}

}  // namespace asyncio

// The libevent backend, "event".
//
// Facts about libevent that shape this file (2.1.12, its epoll mechanism):
//  * event_add and event_del tell the kernel at once: one epoll_ctl each, and none in between.  So
//    there is one persistent event for each descriptor, and watch() returns errors (libevent also
//    prints a line on stderr, which only a process-wide switch could suppress).
//  * The batching variant, "changelist", loses those errors and is unsafe with dup().  An
//    environment variable could turn it on, or turn epoll off; libevent's select and poll lack half
//    of what we promise.  Hence IGNORE_ENV, and O1, a feature that only epoll has here.
//  * An event_del for a descriptor that is closed, or whose number names another file by now, fails
//    quietly.  That is what makes "watch it anew" work as event_del, event_add.
//  * EVLOOP_ONCE loops inside until some event was active: a signal alone does not end it, nor does
//    what the kernel reports for a descriptor without an event.  A descriptor that was first closed
//    and then unwatched may still be reported, if a duplicate of it lives on, and no system call
//    can end that: event_base_loop would spin.  So such an event is left in place, as a ghost: if
//    it ever shows up, a new epoll set is made.
//  * EVLOOP_NONBLOCK without EVLOOP_ONCE loops as long as anything is ready.  So a poll uses both.
//  * With no event at all event_base_loop returns 1 at once; EVLOOP_NO_EXIT_ON_EMPTY makes it wait.
//  * The default clock is CLOCK_MONOTONIC_COARSE, behind by up to a tick of 1 to 10 ms: a timer may
//    fire that much early.  The precise clock costs one more system call for every wait.  So timers
//    here get one tick added.
//  * libev's library exports an imitation of event_add, event_base_loop and others.  If it comes
//    first in the order of linking, libevent's own calls end there too, and crash.  Our build puts
//    libevent first; a program that links libev itself can still spoil that, so it is checked.
//  * A base always has a pair of sockets for signals, and if there are no descriptors for them
//    libevent ends the process by exit(1).  So make_base() first tries whether there are enough.
//  * event_base_free does an EPOLL_CTL_DEL for every event: in the child of a fork that would be
//    the parent's epoll set.  event_reinit makes a new one first; it fails, having done the rest,
//    if one descriptor cannot be added.
// As the guest of a host's base the events are the same, and the host calls event_base_loop.  There
// are no hooks before it blocks, so a timer of no delay is added when there is work: it lets the
// host's own events have their turn in between.  Then:
//  * event_base_free tells nobody, but it takes out every event, even internal ones, which shows in
//    their flags.  So one of ours is always in the host's base; see SignOfLife.
//  * event_del, event_free and event_pending go to the base that the event was made for, which may
//    be freed by then.  event_assign does not: it moves events to our own base.  And we have to
//    know ourselves what is watched.
#include <asyncio/backends/libevent.h>
#include <asyncio/core/backend_registry.h>

#include <event2/event_struct.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
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

struct ConfigFree {
  void operator()(event_config* config) const noexcept { event_config_free(config); }
};
struct BaseFree {
  void operator()(event_base* base) const noexcept { event_base_free(base); }
};
struct EventFree {
  void operator()(event* ev) const noexcept { event_free(ev); }
};
using BasePointer = std::unique_ptr<event_base, BaseFree>;
using EventPointer = std::unique_ptr<event, EventFree>;

/// Returns whether the functions that libev imitates are libevent's.  Of the two called here, libev
/// imitates only event_get_version.
bool is_libevent_itself() {
  const std::string major = std::to_string(event_get_version_number() >> 24) + '.';
  return std::string_view(event_get_version()).starts_with(major);
}

/// Returns whether a base can open the descriptors it needs: for epoll, and for its pair of
/// sockets.
bool enough_descriptors() noexcept {
  std::array<int, 3> tried{};
  for (int& fd : tried) fd = ::eventfd(0, EFD_CLOEXEC);
  bool enough = true;
  for (const int fd : tried) {
    if (fd < 0) {
      enough = false;
    } else {
      ::close(fd);
    }
  }
  return enough;
}

BasePointer make_base() {
  if (!is_libevent_itself()) {
    throw BackendError(
        "libev's imitation of libevent hides libevent in this program: link libevent_core before "
        "libev, or use the backend \"ev\"");
  }
  if (!enough_descriptors()) throw BackendError("libevent needs three descriptors for a base");
  const std::unique_ptr<event_config, ConfigFree> config(event_config_new());
  if (!config) throw std::bad_alloc();
  event_config_set_flag(config.get(), EVENT_BASE_FLAG_NOLOCK);  // one thread only
  event_config_set_flag(config.get(), EVENT_BASE_FLAG_IGNORE_ENV);
  event_config_set_flag(config.get(), EVENT_BASE_FLAG_NO_CACHE_TIME);  // we never ask for it
  event_config_require_features(config.get(), EV_FEATURE_O1);
  BasePointer base(event_base_new_with_config(config.get()));
  if (!base) throw BackendError("libevent cannot make an event base: out of descriptors?");
  return base;
}

/// A tick of the clock that libevent's timers go by.
Duration clock_tick() {
  timespec tick{};
  if (::clock_getres(CLOCK_MONOTONIC_COARSE, &tick) != 0) return std::chrono::milliseconds(10);
  return std::chrono::seconds(tick.tv_sec) + std::chrono::nanoseconds(tick.tv_nsec);
}

/// An event in a host's base that shows whether the base still lives.
///
/// It never fires, and it does not keep the host's run from ending, because it is marked as
/// libevent marks its own.
class SignOfLife {
 public:
  /// Throws: BackendError.
  explicit SignOfLife(event_base* base) : never_ready_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (never_ready_ < 0) {
      throw BackendError("attach: cannot make an eventfd: " +
                         std::generic_category().message(errno));
    }
    event_assign(&event_, base, never_ready_, EV_READ | EV_PERSIST, on_event, nullptr);
    event_.ev_evcallback.evcb_flags |= EVLIST_INTERNAL;
    if (event_add(&event_, nullptr) == 0) return;
    event_debug_unassign(&event_);
    ::close(never_ready_);
    throw BackendError("attach: libevent cannot add an event to the host's base");
  }
  ~SignOfLife() {
    if (is_seen()) event_del(&event_);
    event_debug_unassign(&event_);
    ::close(never_ready_);
  }
  SignOfLife(const SignOfLife&) = delete;
  SignOfLife& operator=(const SignOfLife&) = delete;

  bool is_seen() const noexcept { return (event_.ev_evcallback.evcb_flags & EVLIST_INSERTED) != 0; }

 private:
  static void on_event(evutil_socket_t /*fd*/, short /*what*/, void* /*argument*/) noexcept {}

  int never_ready_;
  event event_{};
};

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
      throw BackendError("libevent cannot make a base anew in the child of a fork");
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
        "attach: the program has loaded another libevent than asyncio was built for");
  }
  return std::make_unique<backends::LibeventBackend>(host, options);
}

}  // namespace asyncio

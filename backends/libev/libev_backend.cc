// The libev backend, "ev".
//
// Facts about libev that shape this file (4.33, with its epoll mechanism; LIBEV_FLAGS can ask for
// another, and libev ignores it in a setuid program):
//  * Changes are collected and told to the kernel at the start of the next ev_run, one epoll_ctl
//    for each changed descriptor.  A stop is not told: a late event for it is dropped and costs one
//    epoll_ctl then.  Stopping and starting with the same mask is a change only after ev_io_set.
//  * At that moment a closed descriptor fails an assert(), and Debian's libev has asserts on: the
//    whole process would abort because a task closed its socket between watch() and wait().  So
//    what has changed is checked before every ev_run; see drop_closed_changes().
//  * An event with an old generation number (the descriptor was closed while a duplicate lives on,
//    and its number used again) makes libev rebuild its whole epoll set and add every descriptor
//    anew, with the same assert.  Before that, and after a fork, it calls fork watchers.  Ours
//    checks all descriptors, and leaves ev_run by ev_break if it had something to report.
//  * ev_run returns at once if no watcher is active.  The fork watcher is always active, so an
//    unbounded wait with nothing watched does wait.
//  * A wait lasts at most 59.7 s (libev looks for jumps of the wall clock).  Ending early is
//    allowed.
//  * Timers count from libev's cached time, which may be as old as the previous ev_run, and waits
//    are in whole milliseconds.  So a bounded wait refreshes that time and rounds up by itself.
//  * For what the kernel refuses for other reasons (ENOSPC: max_user_watches) libev calls back with
//    EV_ERROR, but only after it has waited: within a minute on an idle loop.
//  * If epoll_wait itself fails, libev aborts the process.  The hook against that is process-wide,
//    so it belongs to the program, not to us.
//  * ev_loop_destroy closes the epoll descriptor and touches none of its members.
#include <asyncio/backends/libev/layout.h>
#include <asyncio/core/backend_registry.h>

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include <asyncio/core/errors.h>

namespace asyncio::backends {
namespace {

bool is_closed(int fd) noexcept { return ::fcntl(fd, F_GETFD) == -1 && errno == EBADF; }

int to_libev(Interest interest) noexcept {
  return (any(interest & Interest::read) ? EV_READ : 0) |
         (any(interest & Interest::write) ? EV_WRITE : 0);
}

Interest from_libev(int events) noexcept {
  return ((events & EV_READ) != 0 ? Interest::read : Interest::none) |
         ((events & EV_WRITE) != 0 ? Interest::write : Interest::none);
}

struct LoopDestroy {
  void operator()(struct ev_loop* loop) const noexcept { ev_loop_destroy(loop); }
};

using LoopPointer = std::unique_ptr<struct ev_loop, LoopDestroy>;

LoopPointer make_loop() {
  LoopPointer loop(ev_loop_new(EVFLAG_AUTO));
  if (!loop) {
    throw BackendError(
        "libev cannot create a loop: out of descriptors or memory, or LIBEV_FLAGS asks for a "
        "mechanism that this system lacks");
  }
  detail::check_libev(loop.get());
  return loop;
}

class LibevBackend final : public EventLoopInterface {
 public:
  LibevBackend() : EventLoopInterface("ev", Precision::coarse), own_(make_loop()) {
    ev_timer_init(&timer_, on_timer, 0., 0.);
    ev_fork_init(&rebuild_, on_rebuild);
    rebuild_.data = this;
    ev_fork_start(loop_, &rebuild_);
  }

 private:
  /// The one watcher of a descriptor.  It never moves, because libev keeps its address.
  struct Watch {
    ev_io io;
    bool changed = false;  // listed in changed_
  };

  int watch(int fd, Interest wanted) noexcept override {
    forget_told_changes();
    Watch* entry = find(fd);
    if (entry != nullptr) ev_io_stop(loop_, &entry->io);
    if (!any(wanted)) return 0;
    if (!may_add(fd)) return EBADF;
    try {
      if (entry == nullptr) entry = &add(fd);
      if (!entry->changed) changed_.push_back(fd);
      entry->changed = true;
    } catch (const std::bad_alloc&) {
      return ENOMEM;
    }
    ev_io_set(&entry->io, fd, to_libev(wanted));  // even if equal: makes libev ask the kernel
    ev_io_start(loop_, &entry->io);
    return 0;
  }

  void wait(TimePoint until, ReadySink& sink) override {
    sink_ = &sink;
    if (drop_closed_changes(sink)) return;
    ev_run(loop_, blocks(until) ? EVRUN_ONCE : EVRUN_NOWAIT);
  }

  // The next ev_run does the work.  Until then a change is only noted, so nothing reaches the
  // parent.
  void after_fork() override { ev_loop_fork(loop_); }

  Watch* find(int fd) const noexcept {
    const auto index = static_cast<std::size_t>(fd);  // a negative one is beyond any size
    return index < watches_.size() ? watches_[index].get() : nullptr;
  }

  /// Only an open number may make the table grow.
  bool may_add(int fd) const noexcept {
    return fd >= 0 && (static_cast<std::size_t>(fd) < watches_.size() || !is_closed(fd));
  }

  Watch& add(int fd) {
    const auto index = static_cast<std::size_t>(fd);
    if (index >= watches_.size()) watches_.resize(std::max(index + 1, 2 * watches_.size()));
    watches_[index] = std::make_unique<Watch>();
    Watch& entry = *watches_[index];
    ev_io_init(&entry.io, on_ready, fd, EV_NONE);
    entry.io.data = this;
    return entry;
  }

  /// Stops the watcher if it is active on a closed descriptor.  Returns whether it did.
  bool drop_closed(Watch& entry, ReadySink& sink) {
    const int fd = entry.io.fd;
    if (!ev_is_active(&entry.io) || !is_closed(fd)) return false;
    ev_io_stop(loop_, &entry.io);
    sink.dead(fd);
    return true;
  }

  bool drop_closed_changes(ReadySink& sink) {
    forget_told_changes();
    bool dropped = false;
    for (const int fd : changed_) dropped |= drop_closed(*find(fd), sink);
    return dropped;
  }

  /// Forgets changes that a run of the native loop has told the kernel, which it does before it
  /// counts itself.
  void forget_told_changes() noexcept {
    if (std::exchange(changed_in_, ev_iteration(loop_)) == ev_iteration(loop_)) return;
    for (const int fd : changed_) find(fd)->changed = false;
    changed_.clear();
  }

  /// Returns whether to block, with the timer set to end the wait.
  bool blocks(TimePoint until) {
    if (until == TimePoint::max()) {
      ev_timer_stop(loop_, &timer_);
      return true;
    }
    if (until == TimePoint::min()) return false;  // a poll need not look at the clock
    if (until == timer_until_ && ev_is_active(&timer_)) return true;
    const TimePoint now = Clock::now();
    if (until <= now) return false;
    // At most a day: the wait may end early, and a double must not lose the milliseconds.
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        std::min<Duration>(until - now, std::chrono::hours(24)));
    ev_now_update(loop_);
    ev_timer_stop(loop_, &timer_);
    ev_timer_set(&timer_, static_cast<double>(left.count()) * 1e-3, 0.);
    ev_timer_start(loop_, &timer_);
    timer_until_ = until;
    return true;
  }

  // ---- Called by libev, inside ev_run.  Nothing here may throw.  ---------

  static void on_ready(struct ev_loop* /*loop*/, ev_io* io, int events) noexcept {
    ReadySink& sink = *static_cast<LibevBackend*>(io->data)->sink_;
    if ((events & EV_ERROR) != 0) {
      sink.dead(io->fd);  // libev has stopped the watcher
    } else {
      sink.ready(io->fd, from_libev(events));
    }
  }

  static void on_timer(struct ev_loop* /*loop*/, ev_timer* /*timer*/, int /*events*/) noexcept {
    // Its firing has ended the wait.
  }

  static void on_rebuild(struct ev_loop* loop, ev_fork* watcher, int /*events*/) noexcept {
    auto& self = *static_cast<LibevBackend*>(watcher->data);
    bool dropped = false;
    for (const auto& entry : self.watches_) {
      if (entry != nullptr) dropped |= self.drop_closed(*entry, *self.sink_);
    }
    if (self.sink_ != nullptr) self.sink_->rebuilt();
    if (dropped) ev_break(loop, EVBREAK_ONE);  // the next ev_run then does the rebuild
  }

  ev_timer timer_;
  TimePoint timer_until_;  // what timer_ was set for, while it is active
  ev_fork rebuild_;
  std::vector<std::unique_ptr<Watch>> watches_;  // by descriptor
  std::vector<int> changed_;                     // descriptors to tell the kernel of
  unsigned changed_in_ = 0;                      // the iteration of the native loop since when
  ReadySink* sink_ = nullptr;

  LoopPointer own_;  // destroyed before the watchers it knows
  struct ev_loop* const loop_ = own_.get();
};

}  // namespace

BackendInfo libev();  // the generated table declares it likewise

BackendInfo libev() {
  return {"ev", 300, [] { return std::make_unique<LibevBackend>(); }};
}

}  // namespace asyncio::backends

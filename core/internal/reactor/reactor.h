// What the runtime adds to a backend so that all backends are alike: timers, the table of watched
// descriptors, the wake-up descriptor and the precise timer.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <sys/stat.h>
#include <sys/types.h>

#include <asyncio/core/event_loop_interface.h>
#include <asyncio/core/internal/reactor/backend.h>
#include <asyncio/core/internal/reactor/callback_timers.h>
#include <asyncio/core/internal/reactor/descriptor_table.h>
#include <asyncio/core/internal/reactor/inbox.h>
#include <asyncio/core/internal/reactor/timer_queue.h>
#include <asyncio/core/test_clock.h>

namespace asyncio::detail {

/// Counts forks, in the child of each: a loop made before a fork must not be used before
/// after_fork().
extern std::atomic<std::uint64_t> forks;

/// What has taken a reactor over.  A reactor works without one, too.
class ReactorUser {
 public:
  /// Says that work has come, or that the earliest deadline may have moved, perhaps while a host
  /// has the thread.
  virtual void work_came() noexcept = 0;
  /// As EventLoopInterface's members of these names.
  virtual bool process(Duration budget) noexcept = 0;
  virtual void stop() noexcept = 0;

 protected:
  ~ReactorUser() = default;
};

class Reactor final : private ReadySink {
 public:
  explicit Reactor(EventLoopInterface& interface);
  ~Reactor();

  static Reactor& of(EventLoopInterface& interface) noexcept {
    return Backend::reactor_of(interface);
  }

  /// Throws: InvalidStateError if the reactor has a user already.
  void take_over(ReactorUser& user);
  /// Null while the reactor works alone.
  ReactorUser* user() const noexcept { return user_; }
  /// Tells the user of work, if a host may have the thread.
  void tell_of_work() noexcept {
    if (guest_ && user_ != nullptr) user_->work_came();
  }

  // ---- Time -------------------------------------------------------------------------------------
  TimePoint now() const noexcept { return clock_ == nullptr ? Clock::now() : clock_->now(); }
  void set_clock(TestClock* clock) noexcept { clock_ = clock; }

  TimerQueue& timers() noexcept { return timers_; }
  const TimerQueue& timers() const noexcept { return timers_; }
  CallbackTimers& callbacks() noexcept { return callbacks_; }

  /// Fires, in order, the timers that are due at `now` and were armed before sequence number
  /// `limit`, until `stop` is true, which a callback may bring about, or `budget_end` has come,
  /// which is real time.
  /// Throws: what a callback threw; the rest fires in the next call.
  void fire_due(TimePoint now, std::uint64_t limit, const bool& stop,
                TimePoint budget_end = TimePoint::max());

  // ---- Waiting ----------------------------------------------------------------------------------
  /// Registers the reactor's own descriptors, once.  An EventLoop does so when it is made.
  /// Throws: BackendError.
  void start();

  /// Makes the backend wait once, until `until` at most, and wakes the tasks whose descriptors are
  /// ready.  Spends no time if until <= now.  May come back early.
  /// Throws: BackendError.
  void wait(TimePoint until);

  Inbox& inbox() noexcept { return *inbox_; }
  const Inbox& inbox() const noexcept { return *inbox_; }

  // ---- Descriptors ------------------------------------------------------------------------------
  DescriptorTable& descriptors() noexcept { return descriptors_; }
  std::size_t fd_waiters() const noexcept { return descriptors_.waiters(); }

  /// Has somebody else closed the descriptors of ours?
  bool has_lost_descriptors() const noexcept;
  /// Throws: InvalidStateError if so.  `call` names the caller.
  void check_descriptors(const char* call) const;
  /// Makes new ones, and does not touch what the old numbers may stand for.
  /// Throws: BackendError.
  void replace_lost_descriptors();

  /// As DescriptorTable::notify_closing().  In the child of a fork, before after_fork(), it does
  /// nothing: what is watched is still the parent's.
  void notify_closing(int fd) {
    if (!forked()) descriptors_.notify_closing(fd);
  }

  /// Makes new kernel objects, in the child of a fork.
  void after_fork();
  bool forked() const noexcept { return generation_ != forks.load(std::memory_order_relaxed); }
  /// As forked(), but true also in a child of which no handler of fork() was told, as one made by
  /// _Fork() or clone().  Cost: a system call.
  bool in_another_process() const noexcept;

  // ---- As a guest -------------------------------------------------------------------------------
  /// Is the reactor a guest in a host's loop?
  bool guest() const noexcept { return guest_; }
  /// Makes the host come by soon.
  void work_arrived() noexcept;
  /// Says whether the host's run has to go on for our sake.  work_arrived() makes it so.
  void keep_host(bool wanted) noexcept { backend_.keep_host(wanted); }
  int native_fd() const noexcept { return backend_.native_fd(); }
  /// The latest time at which our timer calls the host.
  TimePoint called_at() const noexcept {
    return guest_ && !resting_ ? timerfd_deadline_ : TimePoint::max();
  }
  /// The latest deadline for which our timer has called the host since the last call.  What was
  /// ready before it has been reported, too: the kernel reports in the order of becoming ready.
  TimePoint take_fired() noexcept { return std::exchange(fired_, TimePoint::min()); }
  /// Ends a call of process().  Makes the host come back at `until` at the latest or, with nothing
  /// `alive`, takes our descriptors out of its loop so that it may end.
  void rest(bool alive, TimePoint until);
  /// Leaves the host's loop.  From then on the reactor waits by itself.
  void detach() noexcept;

 private:
  void ready(int fd, Interest directions) noexcept override;
  void dead(int fd) noexcept override;
  void rebuilt() noexcept override { descriptors_.note_rebuild(); }

  void watch_own(int fd, const char* what);
  bool is_by_descriptor() const noexcept { return guest_ && backend_.native_fd() >= 0; }
  void set_resting(bool resting) noexcept;
  void arm_timerfd(TimePoint deadline);
  /// Makes new kernel objects.
  void renew();
  void wait_in_backend(TimePoint until);
  [[noreturn]] void stop_for_lost_descriptors();
  void settle_reports();

  Backend backend_;
  ReactorUser* user_ = nullptr;
  TestClock* clock_ = nullptr;
  TimerQueue timers_;
  CallbackTimers callbacks_;
  DescriptorTable descriptors_;

  Inbox* inbox_;
  struct stat wake_file_ {};  ///< what the number of its descriptor stood for when it was made
  int timerfd_ = -1;
  TimePoint timerfd_deadline_ = TimePoint::max();  ///< what it is set to; may be too early
  TimePoint fired_ = TimePoint::min();             ///< see take_fired()
  bool started_ = false;
  bool guest_;
  bool resting_ = false;  ///< our descriptors are not watched: nothing could come from them

  /// A descriptor of ours was reported and had nothing: the kernel still reports a closed one that
  /// had its number.
  bool zombie_seen_ = false;
  unsigned reports_ = 0;        ///< what the backend has reported in this wait
  unsigned empty_wakeups_ = 0;  ///< waits in a row that ended early and reported nothing
  std::uint64_t generation_;
  ::pid_t process_;
};

}  // namespace asyncio::detail

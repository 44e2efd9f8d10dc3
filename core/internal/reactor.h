// What the runtime adds to a backend so that all backends are alike: timers, the table of watched
// descriptors, the wake-up descriptor and the precise timer.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include <sys/stat.h>

#include <asyncio/core/detail/waiter.h>
#include <asyncio/core/event_loop_interface.h>
#include <asyncio/core/internal/inbox.h>
#include <asyncio/core/internal/timer_queue.h>
#include <asyncio/core/test_clock.h>
#include <asyncio/core/timer_id.h>
#include <asyncio/core/unique_function.h>

namespace asyncio::detail {

enum class Direction : std::uint8_t { read = 0, write = 1 };

constexpr Interest interest_of(Direction direction) noexcept {
  return direction == Direction::read ? Interest::read : Interest::write;
}

/// Counts forks, in the child of each: a loop made before it must not be used before after_fork().
extern std::atomic<std::uint64_t> forks;
/// Has forks counted from now on.
void count_forks() noexcept;

class Reactor final : public ReadySink {
 public:
  explicit Reactor(EventLoopInterface& backend);
  ~Reactor();

  static Reactor& of(EventLoopInterface& backend) noexcept { return *backend.reactor_; }

  // ---- Time -------------------------------------------------------------------------------------
  TimePoint now() const noexcept { return clock_ == nullptr ? Clock::now() : clock_->now(); }
  void set_clock(TestClock* clock) noexcept { clock_ = clock; }
  TestClock* clock() const noexcept { return clock_; }

  TimerQueue& timers() noexcept { return timers_; }
  TimerId add_callback(TimePoint first, Duration interval, bool persistent,
                       UniqueFunction<void()> callback);
  bool remove_callback(TimerId id) noexcept;
  std::size_t callback_count() const noexcept { return callbacks_.size(); }
  /// While held, callback timers that are due wait: the loop only unwinds its tasks.
  void hold_callbacks(bool hold);

  /// Fires, in order, what is due at `now` and was armed before sequence number `limit`, until
  /// `stop`, which a callback may set.
  /// Throws: what a callback threw; the rest fires in the next call.
  void fire_due(TimePoint now, std::uint64_t limit, const bool& stop);

  /// Registers the descriptors of its own; once.  An EventLoop does so before the program opens any.
  /// Throws: BackendError.
  void start();

  // ---- Waiting ----------------------------------------------------------------------------------
  /// One wait of the backend, at most until `until`; wakes the tasks whose descriptors are ready.
  /// Spends no time when until <= now.  Returns early when it likes.
  void wait(TimePoint until);

  /// Makes sure of the waits that trusted an old registration.  False if there are none.
  bool verify_waits() noexcept;

  Inbox& inbox() noexcept { return *inbox_; }

  // ---- Descriptors ------------------------------------------------------------------------------
  /// Parks the current task until `fd` is ready in `direction`.
  /// Throws: FdError, BusyError, ClosedError (by notify_closing), Cancelled.
  Wake wait_fd(TaskControl& self, int fd, Direction direction, const TimePoint* deadline,
               const char* call);
  /// Wakes the waiters of `fd` with ClosedError and forgets the registration.
  void notify_closing(int fd);
  std::size_t fd_waiters() const noexcept { return fd_waiters_; }

  /// The child of a fork: kernel objects of its own.
  void after_fork();
  bool forked() const noexcept { return generation_ != forks.load(std::memory_order_relaxed); }

  // ---- As a guest --------------------------------------------------------------------------------
  /// Is the loop a host's?
  bool guest() const noexcept { return guest_; }
  void work_arrived() noexcept { backend_.work_arrived(); }
  int native_fd() const noexcept { return backend_.native_fd(); }
  /// When the host will be called for the timer of ours, at the latest.
  TimePoint called_at() const noexcept {
    return guest_ && !resting_ ? timerfd_deadline_ : TimePoint::max();
  }
  /// Between two calls of process(): has the host come back at the earliest deadline, or, with
  /// nothing `alive`, takes our descriptors out of its loop so that it may end.
  void rest(bool alive, TimePoint until);
  /// Leaves the host's loop.  From here on it is as one of our own.
  void detach() noexcept;

  void* owner = nullptr;  ///< the Loop that has taken the interface over, if any
  bool stop_requested = false;
  bool running = false;

  // ReadySink
  void ready(int fd, Interest directions) noexcept override;
  void dead(int fd) noexcept override;
  void rebuilt() noexcept override { ++rebuilds_; }

 private:
  struct alignas(64) FdEntry {
    bool is_of(const struct stat& file) const noexcept {
      return device == file.st_dev && inode == file.st_ino;
    }
    Waiter* waiter[2] = {nullptr, nullptr};
    std::uint64_t last_task[2] = {0, 0};  ///< who waited last: another one means a fresh look
    dev_t device = 0;                     ///< with inode: which file the number stood for
    ino_t inode = 0;
    Interest registered = Interest::none;
    std::uint8_t unclaimed = 0;    ///< times it was ready and nobody waited
    bool unverified = false;       ///< in unverified_
    std::uint32_t trusted_in = 0;  ///< the sweep before which the unverified wait began
    std::uint32_t told_in = 0;     ///< rebuilds_ when the backend took it; 0: it did not
  };
  struct CallbackTimer;
  struct Report {
    int fd;
    Interest directions;
  };

  void arm_timerfd(TimePoint deadline);
  void settle_reports();
  /// Need nothing be looked at again before `self` waits once more?
  bool is_trusted(const TaskControl& self, int fd, Direction direction) const noexcept;
  /// Lets a wait rely on the registration that is there; it is looked at later.
  void trust(int fd);
  /// Sees to it that the backend watches.  False: the descriptor never has to be waited for.
  [[gnu::noinline]] bool prepare_wait(const TaskControl& self, int fd, Direction direction,
                                      const char* call);
  /// Looks at what the number stands for now, and registers it if need be.
  bool look_afresh(const TaskControl& self, int fd, Direction direction, const char* call);
  [[noreturn, gnu::noinline]] static void throw_broken(const TaskControl& self, int fd, bool dead,
                                                       const char* call);
  void wake_reported() noexcept;
  void wake_reported(const Report& report) noexcept;
  FdEntry& entry_of(const Report& report) noexcept {
    return fds_[static_cast<std::size_t>(report.fd)];
  }
  /// As EventLoopInterface::watch(), for a number that has an entry.
  int watch(int fd, Interest wanted) noexcept;
  bool still_stands(const FdEntry& entry, const struct stat& info) const noexcept;
  bool verify(int fd) noexcept;
  void sweep(TimePoint now) noexcept;
  void wake_dead(int fd) noexcept;
  void forget(int fd) noexcept;
  void rebuild() noexcept;
  void unregister(int fd, Interest directions) noexcept;
  static bool abort_fd_wait(Waiter& waiter) noexcept;
  static void fire_callback(TimerNode& node);

  EventLoopInterface& backend_;
  TestClock* clock_ = nullptr;
  TimerQueue timers_;
  std::unordered_map<std::uint64_t, std::unique_ptr<CallbackTimer>> callbacks_;
  std::uint64_t next_callback_ = 1;
  std::vector<TimerNode*> held_;
  bool holding_ = false;

  Inbox* inbox_;
  int timerfd_ = -1;
  TimePoint timerfd_deadline_ = TimePoint::max();  ///< for when it is set; may be too early
  bool started_ = false;
  bool guest_;
  bool resting_ = false;  ///< our descriptors are not watched: nothing could come of them

  std::vector<FdEntry> fds_;
  std::vector<Report> reported_;            ///< ready in this wait, nobody woken yet
  std::vector<int> unclaimed_;              ///< ready in this wait without a waiter
  std::vector<int> unverified_;             ///< waited on anew without a system call
  TimePoint next_sweep_{};                  ///< real time
  TimePoint verify_at_ = TimePoint::max();  ///< as a guest, which makes no long wait: real time
  std::uint32_t sweeps_ = 0;
  std::uint32_t rebuilds_ = 1;  ///< times the kernel object was made
  std::size_t fd_waiters_ = 0;
  /// A descriptor of ours was reported and had nothing: a closed one's number lives on in the kernel.
  bool zombie_seen_ = false;
  unsigned reports_ = 0;        ///< ready() calls of this wait
  unsigned empty_wakeups_ = 0;  ///< waits in a row that ended early and reported nothing
  std::uint64_t generation_;
};

}  // namespace asyncio::detail

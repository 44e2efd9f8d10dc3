// The contract between the runtime and a backend (select, libevent, libev, or a third party's).
//
// The runtime owns timers, ordering, exceptions, cross-thread wake-ups, descriptor bookkeeping and
// the "nothing left" decision.  A backend only answers: *wait until T, and say which descriptors
// are ready.*  So backends agree by construction, and a fake clock works on all of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <asyncio/core/export.h>
#include <asyncio/core/time.h>
#include <asyncio/core/timer_id.h>
#include <asyncio/core/unique_function.h>

namespace asyncio {

namespace detail {
class Backend;
class Reactor;
}  // namespace detail

/// Directions of readiness, as a set of bits.
enum class Interest : std::uint8_t { none = 0, read = 1, write = 2, both = 3 };

constexpr Interest operator|(Interest a, Interest b) noexcept {
  return static_cast<Interest>(static_cast<std::uint8_t>(a) | static_cast<std::uint8_t>(b));
}
constexpr Interest operator&(Interest a, Interest b) noexcept {
  return static_cast<Interest>(static_cast<std::uint8_t>(a) & static_cast<std::uint8_t>(b));
}
constexpr Interest operator~(Interest a) noexcept {
  return static_cast<Interest>(~static_cast<std::uint8_t>(a) & 3U);
}
constexpr bool any(Interest a) noexcept { return a != Interest::none; }

/// Where a backend's wait() reports what it found.  A guest may report between two waits as well.
///
/// It only takes notes: work_arrived() is the one function of the backend it calls.
class ASYNCIO_API ReadySink {
 public:
  /// `fd` is ready in these directions.  An error or hang-up counts as ready in every watched one.
  /// May be called more than once for one fd, and for an fd nobody waits on.
  virtual void ready(int fd, Interest directions) noexcept = 0;

  /// `fd` cannot be watched any more: it was closed, or the kernel refuses it.  The backend has
  /// ended the watch itself.
  virtual void dead(int fd) noexcept = 0;

  /// The mechanism has asserted every registration anew of its own accord, so a number that now
  /// stands for another descriptor is watched as that one.  Need not be called for what
  /// after_fork() asked.
  virtual void rebuilt() noexcept = 0;

 protected:
  ~ReadySink() = default;
};

/// How a timer is made.
struct TimerOptions {
  bool persistent = true;
  /// Keeps nobody waiting: when only such timers are left, run() returns.
  bool background = false;
};

/// One event loop over one native mechanism.
///
/// The public part works alone: timers and run().  An EventLoop over it adds tasks.
///
/// Threads: the thread that made it.
class ASYNCIO_API ASYNCIO_API_STABLE EventLoopInterface {
 public:
  EventLoopInterface(const EventLoopInterface&) = delete;
  EventLoopInterface& operator=(const EventLoopInterface&) = delete;
  virtual ~EventLoopInterface();

  /// "ev", "event", "select", or a third party's name.
  std::string_view type() const noexcept { return type_; }

  /// Runs timers until only those in the background are left, or stop() is called.  Not for an
  /// interface that an EventLoop has taken over: that is EventLoop::run().
  /// Throws: NestedRunError inside run(); what a callback threw, after which run() may be called
  /// again and the other callbacks still run.
  void run();

  /// Makes run() return once the current callback has ended.  Before run(), it makes the next one
  /// return at once.  Calling it twice is the same as once.
  void stop();

  /// Calls `callback` after `interval`, then every `interval` if `persistent` (due times are
  /// computed from the previous due time, missed ones are skipped).  A one-shot interval of zero or
  /// less means the next turn.  The callback never runs inside this call, and never early.
  /// Throws: std::invalid_argument for an empty callback, NaN, or a persistent interval that is
  /// not positive.
  /// Cost: O(log n), two allocations.
  template <DurationLike D>
  TimerId add_timer(D interval, UniqueFunction<void()> callback, bool persistent = true) {
    return add_timer_impl(to_duration(interval), std::move(callback), {persistent, false});
  }
  template <DurationLike D>
  TimerId add_timer(D interval, UniqueFunction<void()> callback, const TimerOptions& options) {
    return add_timer_impl(to_duration(interval), std::move(callback), options);
  }

  /// Removes the timer; its callback will not run, even if it is due in this turn.
  /// Returns whether there was one: false for an id that has fired, was removed, or never was.
  bool del_timer(TimerId id);

 protected:
  /// How exactly wait() meets a deadline of its own accord.
  enum class Precision {
    coarse,  ///< to the timer slack of the thread or worse: the runtime adds a timerfd
    exact,   ///< as a timerfd would
  };

  /// Whose loop it is.
  enum class Driver {
    runtime,  ///< ours: run() waits in wait()
    host,     ///< somebody else's: the host calls process(), and wait() only looks
  };

  /// For a backend's constructor.  `type` is what type() returns.
  EventLoopInterface(std::string type, Precision precision, Driver driver = Driver::runtime);

  /// For a guest of a host's loop, to be called from the host's callbacks.  Runs what is ready and
  /// due, for about `budget`.  Does nothing inside a task or callback of this loop, which may be
  /// running the host.
  /// Returns whether work is left; if so, the host must call again without blocking.
  bool process(Duration budget) noexcept;

 private:
  friend class detail::Backend;

  // ---- The backend's half.  Called by the runtime on the loop's thread, never nested.  ----------
  //
  // The destructor may run while watches are active, and in the child of a fork without
  // after_fork() before it.  Nothing it does may reach the parent's kernel object.

  /// Watches `fd` for exactly `wanted` from now on, level-triggered; Interest::none ends it.
  ///
  /// A registration is sticky: it stays, without system calls, until changed.  The same `wanted`
  /// again means "assert it anew with the kernel": the descriptor behind the number may have been
  /// closed and another one opened.
  ///
  /// Returns 0, or the errno that explains why the fd is not watched now (EBADF, also for a
  /// negative one; EPERM for a regular file; ENOMEM…).  A mechanism that learns of it only later
  /// calls ReadySink::dead.  Ending the watch of an fd that is closed already, negative or not
  /// watched is not an error.
  virtual int watch(int fd, Interest wanted) noexcept = 0;

  /// Blocks until a watched fd is ready or `until` has come, whichever is first, and reports every
  /// fd that is ready.  `until` is real time, never a test clock's.  `until` <= now only polls;
  /// TimePoint::max() waits forever, even with nothing watched.
  ///
  /// Waking early (a signal) is allowed; the runtime then waits again.  But a wait must not become
  /// many short ones as `until` comes near: a mechanism that counts in coarse units rounds up.
  /// Throws: BackendError if the mechanism itself has failed.
  virtual void wait(TimePoint until, ReadySink& sink) = 0;

  /// Makes the kernel object anew and asserts every registration on it; the next wait() reports
  /// those that fail as dead.  Called in the child of a fork, where nothing it does may reach the
  /// parent's object, and when the old object holds a registration that can no longer be named.
  /// Without a kernel object there is nothing to do.
  /// Throws: BackendError; then it may be called again.
  virtual void after_fork() = 0;

  /// For a guest.  Tells it that work has come from outside process(), which had left none.  The
  /// guest must have the host call process() soon, but not in here.  A guest by descriptor is not
  /// told: one of those that it watches is ready then.
  virtual void work_arrived() noexcept {}

  /// For a guest.  Says whether the host's run has to go on for its sake, as it has to at first:
  /// not while nothing but tasks and timers in the background is left.  Those go on as long as the
  /// host runs.  A guest by descriptor does nothing: its host asks for NativeHandle::alive.
  virtual void keep_host(bool /*wanted*/) noexcept {}

  /// For a guest by descriptor.  Returns the descriptor that is readable when the host must call
  /// EventLoop::process(), or -1 if the host is called in another way or there is no host.
  virtual int native_fd() const noexcept { return -1; }

  /// For a guest.  Takes every watch off the host's loop, which is not touched again.  Called at
  /// most once, and only native_fd() is called after it: the runtime waits by itself then.
  virtual void detach() noexcept {}

  // -----------------------------------------------------------------------------------------------

  TimerId add_timer_impl(Duration interval, UniqueFunction<void()> callback,
                         const TimerOptions& options);

  std::string type_;
  Precision precision_;
  Driver driver_;
  bool running_alone_ = false;  ///< in run(), without an EventLoop
  bool stop_alone_ = false;
  std::unique_ptr<detail::Reactor> reactor_;
};

}  // namespace asyncio

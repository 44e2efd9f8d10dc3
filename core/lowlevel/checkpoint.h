// The rules of a checkpoint, as three calls: enter, then suspend or spend.
//
// Every call that may suspend is a cancellation point (see docs/semantics.md, R2):
//
//   CurrentTask self = enter("Latch::wait");  // throws if a cancel is pending: no effect yet
//   if (open) return self.spend();            // done at once: it may not throw any more
//   self.suspend(waiter);                     // parks; throws if a cancel came before the waker
#pragma once

#include <string>

#include <asyncio/core/export.h>
#include <asyncio/core/lowlevel/waiter.h>
#include <asyncio/core/time.h>

namespace asyncio::lowlevel {

/// The task that runs, as a primitive knows it.  A copy is a copy of a pointer; do not keep one.
///
/// Threads: the loop's thread, as for everything here.
class ASYNCIO_API CurrentTask {
 public:
  CurrentTask(detail::TaskControl& task) noexcept  // NOLINT(google-explicit-constructor)
      : task_(&task) {}

  /// Parks the task until somebody calls wake(waiter), or a cancel reaches it.  The caller has put
  /// `waiter` where its waker will find it.
  /// Returns how the wait ended: completed, or broken.
  /// Suspends: always.
  /// Cancels: Cancelled; the wait is undone.
  /// Cost: one switch of stacks, no allocation.
  Wake suspend(Waiter& waiter) { return checked(park(waiter)); }
  /// As suspend(), but only until `deadline`; then it returns Wake::timed_out.  A deadline that has
  /// passed still gives the waker this turn.
  /// Throws: std::bad_alloc, with the wait undone.
  Wake suspend_until(Waiter& waiter, TimePoint deadline) {
    return checked(park_until(waiter, deadline));
  }

  /// As suspend() and suspend_until(), but return Wake::cancelled instead of throwing, for a caller
  /// that has something to put in order before it calls throw_cancelled().
  Wake park(Waiter& waiter) noexcept;
  Wake park_until(Waiter& waiter, TimePoint deadline);

  /// Ends an operation that completed at once.  A task that never has to wait would starve the
  /// others, so it yields when its share of such operations, or of time, is used up.
  /// Suspends: then.
  /// Cancels: never: the operation has had its effect.
  void spend();
  /// Lets every other ready task run once.
  /// Suspends: always.  Cancels: never.
  void yield() noexcept;

  /// Throws Cancelled, with the cause that reached the task.
  [[noreturn]] void throw_cancelled();
  /// Does what `outcome` calls for: throws if it is Wake::cancelled, else returns it.
  Wake checked(Wake outcome) {
    if (outcome == Wake::cancelled) [[unlikely]]
      throw_cancelled();
    return outcome;
  }

  /// Its name, for messages.
  std::string name() const;

  /// For the library.
  detail::TaskControl& control() const noexcept { return *task_; }

 private:
  detail::TaskControl* task_;
};

/// The first call of every operation that may suspend.  `call` is the operation's name in messages.
/// Suspends: never.
/// Cancels: Cancelled, if a cancel is pending and may be delivered here.
/// Throws: NotInTaskError outside a task; InvalidStateError inside a NoSuspend, and in a forked
/// child before EventLoop::after_fork().
ASYNCIO_API CurrentTask enter(const char* call);

/// As enter(), but delivers no cancel: for destructors.
ASYNCIO_API CurrentTask enter_shielded(const char* call);

/// Returns the task that runs, for an operation that never suspends.
/// Throws: NotInTaskError; `call` is the operation's name.
ASYNCIO_API CurrentTask current(const char* call);

/// Does this code run in a task?  Threads: any.
ASYNCIO_API bool in_task() noexcept;

/// While one is alive, no cancel is delivered to its task: every destructor of the library that
/// waits has one, because an exception out of it would end the program (see docs/semantics.md, R5).
/// Cost: two calls.
class ASYNCIO_API NoCancel {
 public:
  explicit NoCancel(CurrentTask task) noexcept;
  ~NoCancel();
  NoCancel(const NoCancel&) = delete;
  NoCancel& operator=(const NoCancel&) = delete;

 private:
  CurrentTask task_;
};

}  // namespace asyncio::lowlevel

// Mutex: one task at a time, in order of arrival.
#pragma once

#include <cstddef>
#include <cstdint>

#include <asyncio/core/export.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/list.h>
#include <asyncio/core/lowlevel/ownership.h>
#include <asyncio/core/lowlevel/wait_queue.h>

namespace asyncio {

/// Figures about a lock since it was made.
struct LockStats {
  std::uint64_t acquired = 0;
  std::uint64_t contended = 0;  ///< of those, the ones that had to wait
  std::size_t waiting = 0;
};

/// A lock owned by a task.  Unlocking hands it to the oldest waiter directly: nobody barges in.
/// It is Lockable, so std::unique_lock, std::lock_guard and std::scoped_lock work.
///
/// An owner that ends without unlocking breaks it: waiters and later callers get InvalidStateError,
/// and so do the waiters of its conditions, which nobody could notify any more.  Destroyed while
/// tasks wait: they get ClosedError.
/// Threads: the loop's thread.
class ASYNCIO_API Mutex {
 public:
  Mutex() noexcept;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  /// Takes the lock.
  /// Suspends: unless it is free (or the task's budget is spent).
  /// Cancels: Cancelled, and not owned.
  /// Throws: InvalidStateError if the caller owns it already, or it is broken; NotInTaskError.
  /// Cost: no allocation.
  void lock();
  /// Takes the lock if it is free.  Returns whether it did.
  /// Suspends: never.
  /// Throws: InvalidStateError if it is broken; NotInTaskError.
  bool try_lock();
  /// Gives the lock back.
  /// Suspends: never.
  /// Throws: InvalidStateError unless the current task owns it; nothing if it is broken, because
  /// the caller may be a guard.
  void unlock();

  bool is_locked() const noexcept { return holding_.has_owner(); }
  bool owned_by_current_task() const noexcept { return holding_.is_mine(); }
  std::size_t waiting_count() const noexcept { return waiting_.size(); }
  LockStats stats() const noexcept { return {acquired_, contended_, waiting_.size()}; }

 private:
  friend class Condition;
  struct Holding final : lowlevel::Ownership {
    explicit Holding(Mutex& held) noexcept;
    Mutex& mutex;
  };

  template <class Task>
  void give_to(const Task& task) noexcept;
  void hand_over() noexcept;
  /// Takes the lock, even if a cancel is pending for the caller.
  void lock_shielded(lowlevel::CurrentTask self);
  void wait_in_line(lowlevel::CurrentTask self);
  void check_intact(const char* call) const;
  void owner_died() noexcept;

  Holding holding_;
  lowlevel::WaitQueue waiting_;
  lowlevel::List<lowlevel::ListNode> conditions_;
  std::uint64_t acquired_ = 0;
  std::uint64_t contended_ = 0;
  bool broken_ = false;
};

}  // namespace asyncio

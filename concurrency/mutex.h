// Mutex: one task at a time, in order of arrival.
#pragma once

#include <cstddef>
#include <cstdint>

#include <asyncio/core/detail/list.h>
#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/detail/waiter.h>
#include <asyncio/core/export.h>

namespace asyncio {

/// Figures about a lock since it was made.
struct LockStats {
  std::uint64_t acquired = 0;
  std::uint64_t contended = 0;  ///< of those, the ones that had to wait
  std::size_t waiting = 0;
};

/// A lock owned by a task.  Unlocking hands it to the oldest waiter directly: nobody barges in.
/// Lockable, so std::unique_lock, std::lock_guard and std::scoped_lock work.
///
/// An owner that ends without unlocking breaks it: waiters, and whoever comes later, get
/// InvalidStateError, and so do the waiters of its conditions, whom nobody could notify any more.
/// Destroyed while tasks wait: they get ClosedError.
/// Threads: the loop's thread.
class ASYNCIO_API Mutex {
 public:
  Mutex() noexcept;
  ~Mutex();
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  /// Suspends: unless it is free (or the task's budget is spent).
  /// Cancels: Cancelled, and not owned.
  /// Throws: InvalidStateError if the caller owns it already, or it is broken; NotInTaskError.
  /// Cost: no allocation.
  void lock();
  /// Suspends: never.
  /// Throws: InvalidStateError if it is broken; NotInTaskError.
  bool try_lock();
  /// Suspends: never.
  /// Throws: InvalidStateError unless the current task owns it.  Of a broken one nothing: a guard
  /// may be what calls.
  void unlock();

  bool is_locked() const noexcept { return owner_ != nullptr; }
  bool owned_by_current_task() const noexcept;
  std::size_t waiting_count() const noexcept { return waiting_; }
  LockStats stats() const noexcept { return {acquired_, contended_, waiting_}; }

 private:
  friend class Condition;
  struct Holding final : detail::HeldLock {
    explicit Holding(Mutex& held) noexcept;
    Mutex& mutex;
  };

  void give_to(detail::TaskControl& task) noexcept;
  void hand_over() noexcept;
  void enqueue(detail::Waiter& waiter) noexcept;
  /// Takes the lock whatever is pending for the caller.
  void lock_shielded(detail::TaskControl& self);
  void wait_in_line(detail::TaskControl& self);
  void check_intact(const char* call) const;
  void owner_died() noexcept;

  detail::TaskControl* owner_ = nullptr;
  Holding holding_;
  detail::List<detail::Waiter> waiters_;
  detail::List<detail::ListNode> conditions_;
  std::size_t waiting_ = 0;
  std::uint64_t acquired_ = 0;
  std::uint64_t contended_ = 0;
  bool broken_ = false;
};

}  // namespace asyncio

// Condition: waiting, under a mutex, for something to become true.
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>

#include <asyncio/concurrency/mutex.h>
#include <asyncio/core/export.h>
#include <asyncio/core/lowlevel/list.h>
#include <asyncio/core/lowlevel/wait_queue.h>
#include <asyncio/core/time.h>

namespace asyncio {

/// Notified tasks queue for the mutex one after the other, so that notify_all() wakes no herd.  A
/// notification without a waiter is not remembered.
///
/// Destroyed while tasks wait: they get ClosedError, owning the mutex.
/// Threads: the loop's thread.
class ASYNCIO_API Condition : lowlevel::ListNode {
 public:
  /// `mutex` must outlive the condition.
  explicit Condition(Mutex& mutex) noexcept : mutex_(mutex) { mutex.conditions_.push_back(*this); }
  ~Condition();
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  /// Unlocks the mutex, waits for a notification, and locks it again before it returns or throws.
  /// Suspends: always.
  /// Cancels: Cancelled, owning the mutex; a notification that had reached the task goes to
  /// another.
  /// Throws: InvalidStateError unless the caller owns the mutex; InvalidStateError, without owning
  /// it, if a task that owned it meanwhile has ended; NotInTaskError.
  void wait();

  /// Waits until `predicate()` is true, which is called with the mutex owned.
  template <std::predicate F>
  void wait(F&& predicate) {
    while (!predicate()) wait();
  }

  /// As wait(), but for at most `limit`.  Returns false if the time ran out before a notification
  /// came.
  template <DurationLike D>
  bool wait_for(D limit) {
    return wait_until(deadline_of(to_duration(limit)));
  }

  /// As wait(predicate), but for at most `limit`.  Returns the predicate's last value.
  template <DurationLike D, std::predicate F>
  bool wait_for(D limit, F&& predicate) {
    const TimePoint deadline = deadline_of(to_duration(limit));
    while (!predicate()) {
      if (!wait_until(deadline)) return predicate();
    }
    return true;
  }

  /// Wakes the `n` oldest waiters.
  /// Throws: InvalidStateError unless the caller owns the mutex.
  void notify(std::size_t n = 1);
  void notify_all() { notify(static_cast<std::size_t>(-1)); }

  std::size_t waiting_count() const noexcept { return sleepers_.size(); }

 private:
  friend class Mutex;
  struct Sleeper;

  void check_owned(const char* call) const;
  TimePoint deadline_of(Duration limit) const;
  /// Returns false if the time ran out.
  bool wait_until(TimePoint deadline);
  bool wait_impl(const TimePoint* deadline, const char* call);
  void pass_on(std::size_t n) noexcept;
  /// Wakes everybody: the mutex broke, so nobody will notify.
  void give_up() noexcept;

  Mutex& mutex_;
  lowlevel::WaitQueue sleepers_;
};

}  // namespace asyncio

// Barrier: n tasks wait for each other.
#pragma once

#include <cstddef>

#include <asyncio/core/errors.h>
#include <asyncio/core/export.h>
#include <asyncio/core/lowlevel/wait_queue.h>

namespace asyncio {

/// A barrier was aborted or reset while the task waited at it, or before.
class ASYNCIO_API BrokenBarrierError : public Error {
 public:
  using Error::Error;
  ~BrokenBarrierError() override;
};

/// The n-th arrival lets all n through, and the next n start afresh.
/// Threads: the loop's thread.
class ASYNCIO_API Barrier {
 public:
  /// Throws: std::invalid_argument unless n >= 1.
  explicit Barrier(int n);
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;

  /// Waits for the others and returns the caller's place in the order of arrival, 0 to n-1.
  /// Suspends: unless it is the n-th.
  /// Cancels: Cancelled; the task no longer counts, the others go on waiting for an n-th.
  /// Throws: BrokenBarrierError after abort(), and when abort() or reset() happens meanwhile;
  /// NotInTaskError.
  int wait();

  /// Wakes the waiting tasks with BrokenBarrierError, and makes every later wait() fail until
  /// reset().
  void abort() noexcept;
  /// Wakes the waiting tasks with BrokenBarrierError and starts afresh.
  void reset() noexcept;

  int parties() const noexcept { return parties_; }
  int waiting_count() const noexcept { return static_cast<int>(arrivals_.size()); }
  bool is_broken() const noexcept { return broken_; }

 private:
  struct Arrival;

  int parties_;
  bool broken_ = false;
  lowlevel::WaitQueue arrivals_;
};

}  // namespace asyncio

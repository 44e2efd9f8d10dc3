// RwLock: many readers or one writer, in order of arrival.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <asyncio/concurrency/mutex.h>
#include <asyncio/core/detail/list.h>
#include <asyncio/core/detail/waiter.h>
#include <asyncio/core/export.h>

namespace asyncio {

/// A waiting writer stops new readers, so that writers are not starved; readers that wait behind
/// each other enter together.  Usable with std::unique_lock and std::shared_lock.
///
/// Destroyed while tasks wait: they get ClosedError.
/// Threads: the loop's thread.
class ASYNCIO_API RwLock {
 public:
  RwLock() = default;
  ~RwLock();
  RwLock(const RwLock&) = delete;
  RwLock& operator=(const RwLock&) = delete;

  /// Suspends: unless it is free.  Cancels: Cancelled, and not held.
  /// Throws: InvalidStateError if the caller holds it already, in whatever way (there is no
  /// upgrade); NotInTaskError.
  void lock();
  void lock_shared();
  /// Suspends: never.  Throws: NotInTaskError.
  bool try_lock();
  bool try_lock_shared();
  /// Suspends: never.  Throws: InvalidStateError unless the current task holds it so.
  void unlock();
  void unlock_shared();

  std::size_t reader_count() const noexcept { return readers_.size(); }
  bool has_writer() const noexcept { return writer_ != nullptr; }
  std::size_t waiting_count() const noexcept { return waiting_; }
  LockStats stats() const noexcept { return {acquired_, contended_, waiting_}; }

 private:
  struct Request;
  bool admit(detail::TaskControl& task, bool exclusive);
  void enter(bool exclusive, const char* call);
  void grant() noexcept;

  detail::TaskControl* writer_ = nullptr;
  std::vector<detail::TaskControl*> readers_;  // room for every waiter is reserved as it queues
  detail::List<detail::Waiter> waiters_;
  std::size_t waiting_ = 0;
  std::uint64_t acquired_ = 0;
  std::uint64_t contended_ = 0;
};

}  // namespace asyncio

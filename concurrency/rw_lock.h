// RwLock: many readers or one writer, in order of arrival.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <asyncio/concurrency/mutex.h>
#include <asyncio/core/export.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/ownership.h>
#include <asyncio/core/lowlevel/wait_queue.h>

namespace asyncio {

/// A waiting writer stops new readers, so that writers are not starved; readers that wait behind
/// each other enter together.  Usable with std::unique_lock and std::shared_lock.
///
/// A task that ends while it holds the lock breaks it: waiters and later callers get
/// InvalidStateError.  Destroyed while tasks wait: they get ClosedError.
/// Threads: the loop's thread.
class ASYNCIO_API RwLock {
 public:
  RwLock() = default;
  RwLock(const RwLock&) = delete;
  RwLock& operator=(const RwLock&) = delete;

  /// Takes the lock, for writing or (lock_shared) for reading.
  /// Suspends: unless it is free.  Cancels: Cancelled, and not held.
  /// Throws: InvalidStateError if the caller holds it already, in either way (there is no upgrade),
  /// or if it is broken; NotInTaskError.
  /// Cost: no allocation, once as many tasks have held it or waited for it at a time.
  void lock();
  void lock_shared();
  /// Take the lock if it is free.  They return whether they did.
  /// Suspends: never.  Throws: InvalidStateError if it is broken; NotInTaskError.
  bool try_lock();
  bool try_lock_shared();
  /// Give the lock back.
  /// Suspends: never.  Throws: InvalidStateError unless the current task holds it in that way;
  /// nothing if it is broken, because the caller may be a guard.
  void unlock();
  void unlock_shared();

  std::size_t reader_count() const noexcept { return exclusive_ ? 0 : holders_; }
  bool has_writer() const noexcept { return exclusive_; }
  std::size_t waiting_count() const noexcept { return waiting_.size(); }
  LockStats stats() const noexcept { return {acquired_, contended_, waiting_.size()}; }

 private:
  struct Request;
  /// One task's hold on the lock.
  struct Holding final : lowlevel::Ownership {
    explicit Holding(RwLock& held) noexcept;
    RwLock& lock;
  };

  void make_room(std::size_t holders);
  void check_intact(const char* call) const;
  template <class Task>
  bool admit(const Task& task, bool exclusive) noexcept;
  bool try_enter(bool exclusive, const char* call);
  void enter(bool exclusive, const char* call);
  void leave(bool exclusive, const char* call);
  /// Returns the place in holdings_ of the task that runs, or holders_ if it has none.
  std::size_t mine() const noexcept;
  void grant() noexcept;
  void holder_died() noexcept;

  // The first `holders_` are in use.  There is one for every waiter too, so that handing over never
  // allocates.
  std::vector<std::unique_ptr<Holding>> holdings_;
  std::size_t holders_ = 0;
  bool exclusive_ = false;  ///< the one holder is a writer
  bool broken_ = false;
  lowlevel::WaitQueue waiting_;
  std::uint64_t acquired_ = 0;
  std::uint64_t contended_ = 0;
};

}  // namespace asyncio

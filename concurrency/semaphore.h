// Semaphore and CapacityLimiter: a number of permits, handed over in order of arrival.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

#include <asyncio/core/export.h>
#include <asyncio/core/lowlevel/wait_queue.h>

namespace asyncio {

/// Figures about a semaphore since it was made.
struct SemaphoreStats {
  std::uint64_t acquired = 0;   ///< acquisitions granted
  std::uint64_t contended = 0;  ///< of those, the ones that had to wait
  int available = 0;
  int max = 0;
  std::size_t waiting = 0;
};

class Semaphore;

/// Permits that are given back when this goes.  It can be moved, also to another task, and kept as
/// long as the semaphore lives.
/// Threads: the loop's thread.
class ASYNCIO_API SemaphorePermit {
 public:
  SemaphorePermit(SemaphorePermit&& other) noexcept
      : semaphore_(std::exchange(other.semaphore_, nullptr)), permits_(other.permits_) {}
  SemaphorePermit& operator=(SemaphorePermit&& other) noexcept {
    SemaphorePermit old = std::move(*this);
    semaphore_ = std::exchange(other.semaphore_, nullptr);
    permits_ = other.permits_;
    return *this;
  }
  ~SemaphorePermit();

  /// Gives the permits back now.  Harmless if it has none.
  /// Throws: as Semaphore::release(), if somebody else has given them back.
  void release();
  /// Lets go of the permits without giving them back; somebody else will release() them.
  void forget() noexcept { semaphore_ = nullptr; }

  /// How many it holds.
  int count() const noexcept { return semaphore_ == nullptr ? 0 : permits_; }
  explicit operator bool() const noexcept { return semaphore_ != nullptr; }

 private:
  friend class Semaphore;
  SemaphorePermit(Semaphore& semaphore, int permits) noexcept
      : semaphore_(&semaphore), permits_(permits) {}

  Semaphore* semaphore_;
  int permits_;
};

/// Holds `max` permits, strictly first come, first served: a released permit goes directly to the
/// oldest waiter, and nobody overtakes.  Permits have no owner: any task or callback may release.
///
/// Destroyed while tasks wait: they get ClosedError.
/// Threads: the loop's thread.
class ASYNCIO_API Semaphore {
 public:
  /// Throws: std::invalid_argument unless max >= 1.
  explicit Semaphore(int max);
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  /// Takes `permits` permits.
  /// Suspends: unless they are free and nobody waits (or the task's budget is spent).
  /// Cancels: Cancelled, and nothing was taken.  A permit handed over before the cancel is the
  /// task's; its next suspending call throws.
  /// Throws: std::invalid_argument for less than 1 or more than max; NotInTaskError if it would
  /// have to wait outside a task.
  /// Cost: no allocation.
  void acquire(int permits = 1);

  /// Takes the permits if that needs no waiting and overtakes nobody.  Returns whether it did.
  /// Suspends: never.
  bool try_acquire(int permits = 1);

  /// Gives permits back.
  /// Suspends: never.
  /// Throws: InvalidStateError if more are given back than were taken.
  void release(int permits = 1);

  /// As acquire(), but the permits are in a guard, which gives them back.
  [[nodiscard]] SemaphorePermit acquire_permit(int permits = 1);
  /// As try_acquire(); nullopt if it would have to wait.
  [[nodiscard]] std::optional<SemaphorePermit> try_acquire_permit(int permits = 1);

  /// Runs `body` with one permit and returns its result.
  template <class F>
  auto with(F&& body) -> std::invoke_result_t<F&>;

  int available() const noexcept { return available_; }
  int max() const noexcept { return max_; }
  std::size_t waiting_count() const noexcept { return waiting_.size(); }
  SemaphoreStats stats() const noexcept;

 protected:
  /// Sets the number of permits.  Those taken beyond a lower limit come back by release().
  void change_max(int max);

 private:
  friend class SemaphorePermit;
  struct Request;

  void check(const char* call, int permits) const;
  void put_back(int permits) noexcept;
  void grant() noexcept;

  int max_;
  int available_;  ///< below zero while more are taken than a lowered max allows
  std::uint64_t acquired_ = 0;
  std::uint64_t contended_ = 0;
  lowlevel::WaitQueue waiting_;
};

/// The usual spelling: `auto gate = asyncio::semaphore(10);`
ASYNCIO_API ASYNCIO_API_STABLE Semaphore semaphore(int max);

/// A semaphore whose number of permits can change while it is in use.
class ASYNCIO_API CapacityLimiter : public Semaphore {
 public:
  using Semaphore::Semaphore;
  /// A higher limit wakes waiters; a lower one waits for permits to come back.
  /// Throws: std::invalid_argument unless max >= 1.
  void set_max(int max) { change_max(max); }
};

template <class F>
auto Semaphore::with(F&& body) -> std::invoke_result_t<F&> {
  SemaphorePermit permit = acquire_permit();
  if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
    std::invoke(body);
    permit.release();
  } else {
    decltype(auto) result = std::invoke(body);
    permit.release();
    return static_cast<std::invoke_result_t<F&>>(std::forward<decltype(result)>(result));
  }
}

}  // namespace asyncio

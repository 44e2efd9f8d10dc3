// A mutex that the child of a fork never finds locked for ever.
#pragma once

#include <atomic>
#include <mutex>

#include <asyncio/core/export.h>

namespace asyncio::detail {

/// For what threads share.  A thread that holds it while another one forks stays with the parent,
/// and in the child nobody would ever unlock it: so a fork waits until it has the mutex itself.
///
/// It needs no destruction, so one with static storage serves while statics are destroyed, too.
/// Requires: while it is held, nothing forks, locks another one or destroys one.
/// Threads: any.
class ASYNCIO_API ForkMutex {
 public:
  constexpr ForkMutex() noexcept = default;
  ForkMutex(const ForkMutex&) = delete;
  ForkMutex& operator=(const ForkMutex&) = delete;

  void lock() {
    if (!listed_.load(std::memory_order_acquire)) [[unlikely]]
      enlist();
    mutex_.lock();
  }
  void unlock() noexcept { mutex_.unlock(); }

 protected:
  /// Forks do not know it any more.
  void unlist() noexcept;

 private:
  struct Forking;

  void enlist();

  std::mutex mutex_;
  std::atomic<bool> listed_{false};
  ForkMutex* previous_ = nullptr;
  ForkMutex* next_ = nullptr;
};

/// One that is destroyed.
class OwnedForkMutex final : public ForkMutex {
 public:
  ~OwnedForkMutex() { unlist(); }
};

}  // namespace asyncio::detail

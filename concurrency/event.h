// Event: a flag that tasks wait for.
#pragma once

#include <cstddef>

#include <asyncio/core/export.h>
#include <asyncio/core/lowlevel/wait_queue.h>

namespace asyncio {

/// set() wakes every task that waits at that moment, even if the flag is cleared before they run.
///
/// Destroyed while tasks wait: they get ClosedError.
/// Threads: the loop's thread; callbacks may set it.
class ASYNCIO_API Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void set();
  void clear() noexcept { set_ = false; }
  bool is_set() const noexcept { return set_; }

  /// Waits until the flag is set.
  /// Suspends: unless it is set.  Cancels: Cancelled.
  /// Throws: NotInTaskError.
  void wait();

  std::size_t waiting_count() const noexcept { return waiting_.size(); }

 private:
  lowlevel::WaitQueue waiting_;
  bool set_ = false;
};

}  // namespace asyncio

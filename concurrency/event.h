// Event: a flag that tasks wait for.
#pragma once

#include <cstddef>

#include <asyncio/core/detail/list.h>
#include <asyncio/core/detail/waiter.h>
#include <asyncio/core/export.h>

namespace asyncio {

/// set() wakes every task that waits at that moment, even if the flag is cleared before they run.
///
/// Destroyed while tasks wait: they get ClosedError.
/// Threads: the loop's thread; callbacks may set it.
class ASYNCIO_API Event {
 public:
  Event() = default;
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void set();
  void clear() noexcept { set_ = false; }
  bool is_set() const noexcept { return set_; }

  /// Suspends: unless it is set.  Cancels: Cancelled.
  /// Throws: NotInTaskError.
  void wait();

  std::size_t waiting_count() const noexcept { return waiters_.count(); }

 private:
  detail::List<detail::Waiter> waiters_;
  bool set_ = false;
};

}  // namespace asyncio

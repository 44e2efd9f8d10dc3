// Giving way: for a time, for a turn, or just to look whether one is being cancelled.
#pragma once

#include <asyncio/core/detail/waiter.h>
#include <asyncio/core/export.h>
#include <asyncio/core/time.h>

namespace asyncio {

namespace detail {
ASYNCIO_API void sleep_for(Duration delay);
}

/// Suspends the task for at least `delay`; zero or less yields once.  In a plain thread without a
/// loop it blocks the thread.
/// Suspends: always.
/// Cancels: Cancelled at once; the timer is gone.
/// Throws: std::invalid_argument for NaN; NotInTaskError in a loop callback.
/// Cost: no allocation; O(log n) of the armed timers.
template <DurationLike D>
ASYNCIO_API_STABLE void sleep(D delay) {
  detail::sleep_for(to_duration(delay));
}

/// Suspends the task until `deadline`; one in the past yields once.  Otherwise as sleep().
ASYNCIO_API void sleep_until(TimePoint deadline);

/// Lets every other ready task run once.
/// Suspends: always.  Cancels: Cancelled, before yielding.
/// Throws: NotInTaskError.
ASYNCIO_API void yield();

/// Throws Cancelled if the task is being cancelled, and yields when it has run long without
/// suspending: for loops that compute.
/// Suspends: when its budget of immediate completions is spent.
/// Throws: NotInTaskError.
ASYNCIO_API void checkpoint();

/// Is the current task being cancelled, from wherever?  Does not suspend and does not throw
/// Cancelled.
/// Throws: NotInTaskError.
ASYNCIO_API bool is_cancelled();

/// While alive, a suspending call of this task is InvalidStateError instead: for critical sections
/// that rely on nobody else running, and around C callbacks that must not be left by an unwind.
class ASYNCIO_API NoSuspend {
 public:
  NoSuspend();
  ~NoSuspend();
  NoSuspend(const NoSuspend&) = delete;
  NoSuspend& operator=(const NoSuspend&) = delete;

 private:
  detail::TaskControl& task_;
};

}  // namespace asyncio

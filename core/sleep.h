// Suspending for a time.
#pragma once

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

/// As above, for whole seconds.  After `using namespace asyncio`, `sleep(1u)` fits the C library's
/// sleep just as well, and that would block the whole thread: this overload makes the call
/// ambiguous, and so an error.
inline void sleep(unsigned int seconds) {  // ambiguous with ::sleep: write asyncio::sleep(...)
  detail::sleep_for(to_duration(seconds));
}

/// Suspends the task until `deadline`; one in the past yields once.  Otherwise as sleep().
ASYNCIO_API void sleep_until(TimePoint deadline);

/// Suspends the task until it is cancelled: for a main that only keeps its tasks going.  If nothing
/// at all could happen any more, that is a deadlock as in every other wait.
/// Suspends: always.
/// Cancels: Cancelled.
/// Throws: NotInTaskError.
[[noreturn]] ASYNCIO_API void sleep_forever();

}  // namespace asyncio

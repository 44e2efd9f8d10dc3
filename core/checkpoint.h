// Giving way, and looking whether one is being cancelled: for tasks that compute.
#pragma once

#include <asyncio/core/export.h>

namespace asyncio {

/// Lets every other ready task run once.
/// Suspends: always.  Cancels: Cancelled, before yielding.
/// Throws: NotInTaskError.
ASYNCIO_API void yield();

/// Throws Cancelled if the task is being cancelled, and yields when it has run long without
/// suspending: for loops that compute.
/// Suspends: when its share of time, or of immediate completions, is used up: then deadlines,
/// descriptors and other tasks have their turn, within about 20 microseconds and one step of the loop.
/// Throws: NotInTaskError.
/// Cost: a few nanoseconds while it does not suspend.
ASYNCIO_API void checkpoint();

/// Is the current task being cancelled, from wherever?  A deadline that has passed counts, also if the
/// loop has not come to it yet.  Does not suspend and does not throw Cancelled.
/// Throws: NotInTaskError.
/// Cost: a look at the clock.
ASYNCIO_API bool is_cancelled();

}  // namespace asyncio

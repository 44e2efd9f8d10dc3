// For tasks that compute: giving way to others, and looking for a cancellation.
#pragma once

#include <asyncio/core/export.h>

namespace asyncio {

/// Lets every other ready task run once.
/// Suspends: always.  Cancels: Cancelled, before yielding.
/// Throws: NotInTaskError.
ASYNCIO_API void yield();

/// Throws Cancelled if the task is being cancelled, and yields when it has run long without
/// suspending: for loops that compute.
/// Suspends: when the task's share of time, or of immediate completions, is used up.  Deadlines,
/// descriptors and other tasks then get their turn, within about 20 microseconds plus one step of
/// the computing loop.
/// Throws: NotInTaskError.
/// Cost: a few nanoseconds while it does not suspend.
ASYNCIO_API void checkpoint();

/// Is the current task being cancelled, by anyone?  A deadline that has passed counts even if the
/// loop has not come to it yet.  Never suspends and never throws Cancelled.
/// Throws: NotInTaskError.
/// Cost: a look at the clock.
ASYNCIO_API bool is_cancelled();

}  // namespace asyncio

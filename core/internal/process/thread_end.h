// Whether a thread is at its end.
#pragma once

namespace asyncio::detail {

/// Has the end of this thread noticed.  Called where a loop is made or runs.
void watch_for_end_of_thread() noexcept;

/// Returns whether the thread's own variables are being destroyed, or have been.  If a loop runs on
/// it, that is exit().  Known for threads that are watched.
bool thread_has_ended() noexcept;

}  // namespace asyncio::detail

// Waiting for file descriptors.
#pragma once

#include <asyncio/core/export.h>
#include <asyncio/core/time.h>

namespace asyncio {

namespace detail {
ASYNCIO_API bool wait_readable_for(int fd, Duration timeout);
ASYNCIO_API bool wait_writable_for(int fd, Duration timeout);
}  // namespace detail

/// Suspends until a read from `fd` would not block: there is data, end of file, or an error.
///
/// The registration with the kernel is kept between waits, so a task that waits, reads and waits
/// again costs no system call beyond the read and its share of the loop's wait.  Wait first, then
/// read once: reading until EAGAIN costs one call more.  Regular files and directories are always
/// ready.
/// Before closing a descriptor that a task may wait on, or has waited on, call notify_closing(fd).
/// Suspends: always.
/// Cancels: Cancelled; another task may wait on the descriptor at once, and unread data stays.
/// Throws: FdError if the descriptor is not open, cannot be watched, or turns out to have been
/// closed meanwhile; BusyError if another task waits for the same direction; ClosedError when
/// notify_closing ends the wait; NotInTaskError.
ASYNCIO_API void wait_readable(int fd);
/// Likewise, until a write to `fd` would not block.
ASYNCIO_API void wait_writable(int fd);

/// As wait_readable, but for at most `timeout`.  Returns false if the time ran out.  Zero or less
/// looks once.  Data that arrives in the same turn as the timeout wins.
/// Throws: std::invalid_argument for NaN.
template <DurationLike D>
bool wait_readable(int fd, D timeout) {
  return detail::wait_readable_for(fd, to_duration(timeout));
}
/// As wait_writable, but for at most `timeout`.  Returns false if the time ran out.
template <DurationLike D>
bool wait_writable(int fd, D timeout) {
  return detail::wait_writable_for(fd, to_duration(timeout));
}

/// Announces that `fd` is about to be closed: its waiters get ClosedError, its registration is
/// dropped.  Harmless for a descriptor nobody ever waited on.
/// Suspends: never.
/// Throws: NoRunningLoopError.
ASYNCIO_API void notify_closing(int fd);

}  // namespace asyncio

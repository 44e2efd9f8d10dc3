// From one stream into another.
#pragma once

#include <cstdint>

#include <asyncio/io/export.h>
#include <asyncio/io/stream.h>

namespace asyncio {

/// Writes to `to` what it reads from `from`, until the end of that.  Returns how many bytes.  Ends
/// neither stream: for the peer to find the end, `to.shutdown_write()`.  Both may be the same.
///
/// Much at a time goes from one descriptor to the other inside the kernel.  A stream that is more
/// than its descriptor, such as an encrypted one, and what comes in small pieces, goes through a
/// buffer, which an idle connection has not.
/// Suspends: always.
/// Cancels: Cancelled, after what had been read was written.  If `to` does not take that within a
/// second, the exception handler is told how much is lost.
/// Throws: what read_some() and write_all() throw.  What was read before a failed read has been
/// written.
/// Cost: per piece one read and one write; in bulk two system calls, and none copies.
ASYNCIO_IO_API std::uint64_t copy(Stream& from, Stream& to);

/// copy() both ways at once.  Where one way ends, the peer of the other stream is told by
/// shutdown_write(), and the other way goes on; it returns after both.
/// Suspends: always.
/// Cancels: as copy().
/// Throws: what the first way threw that failed; the other one has been cancelled then.
ASYNCIO_IO_API void copy_both(Stream& one, Stream& other);

}  // namespace asyncio

// From a file into a connection.
#pragma once

#include <cstdint>

#include <asyncio/io/export.h>
#include <asyncio/io/file.h>
#include <asyncio/io/tcp_stream.h>

namespace asyncio {

/// Writes up to `count` bytes of `file`, from `offset` on, to `to`.  Returns how many: fewer if the
/// file ends before.
/// Suspends: always.
/// Cancels: Cancelled; the peer gets a beginning of it.
/// Throws: IoError; BusyError if another task writes; ClosedError; NotInTaskError.
/// Cost: for what is in memory, no copy and no thread.
ASYNCIO_IO_API std::uint64_t send_file(const File& file, std::uint64_t offset, std::uint64_t count,
                                       TcpStream& to);

}  // namespace asyncio

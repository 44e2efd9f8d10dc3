// Standard input, output and error, as streams.
#pragma once

#include <asyncio/io/export.h>
#include <asyncio/io/pipe.h>

namespace asyncio {

/// What the program reads from, whatever that is: a pipe, a terminal, a socket or a file.
///
/// The descriptors are shared with the programs that this one was started by and will start, so
/// their flags are never changed.  A pipe or a terminal is opened once more, through
/// /proc/self/fd; a socket is asked at each call not to block; and where neither helps, as with
/// files, a thread makes the call.  A task that is cancelled lets go of that thread at once, and
/// what it reads then comes out of the next call, so nothing is lost.
///
/// close() ends the stream, and leaves descriptor 0 (1, 2) open.  They belong to the loop that
/// first asked for them, until that is gone.  Nothing is buffered: std::cin and std::cout do not
/// know of what is read and written here.
/// Throws: IoError if the descriptor is not open; InvalidStateError if another loop has it;
/// NoRunningLoopError.
ASYNCIO_IO_API PipeReader& standard_input();
/// What the program writes to.
ASYNCIO_IO_API PipeWriter& standard_output();
ASYNCIO_IO_API PipeWriter& standard_error();

}  // namespace asyncio

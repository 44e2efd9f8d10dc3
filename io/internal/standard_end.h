// Opening what a program has inherited.
#pragma once

#include <asyncio/core/lowlevel/descriptor.h>
#include <asyncio/io/detail/pipe_end.h>

namespace asyncio::detail {

/// Returns an end for what `fd` stands for, without a change to its flags; `fd` stays open.  What a
/// thread had read before from standard input for another loop comes first.
/// Throws: IoError; NoRunningLoopError.
PipeEnd open_standard(int fd, lowlevel::Direction direction, const char* call);

}  // namespace asyncio::detail

// Starting a program.
#pragma once

#include <array>

#include <sys/types.h>

#include <asyncio/io/command.h>
#include <asyncio/io/fd.h>

namespace asyncio::detail {

/// What a child's descriptors 0, 1 and 2 are to be: -1 stands for ours.
using StandardFds = std::array<int, 3>;

/// Starts the program with these descriptors, each of which is above 2, and no other.
/// Returns its process id.
/// Suspends: while the program's file is being written.
/// Throws: IoError; std::invalid_argument; InvalidStateError; Cancelled, and nothing was started.
pid_t spawn_program(const Command& command, const StandardFds& fds, const char* call);

/// A descriptor that tells when the child ends.  Kills and reaps the child if there is none.
/// Throws: IoError.
Fd open_pidfd(pid_t pid, const char* call);

}  // namespace asyncio::detail

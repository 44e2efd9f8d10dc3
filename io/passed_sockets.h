// Sockets that a service manager has opened for this program.
#pragma once

#include <string>
#include <vector>

#include <asyncio/io/export.h>
#include <asyncio/io/fd.h>

namespace asyncio {

/// One of them, and the name that its unit has given it, or "unknown".
struct PassedSocket {
  std::string name;
  Fd fd;
};

/// The sockets that systemd, or whoever does as it does, has passed to this process (see
/// sd_listen_fds(3)), in the order of the unit.  Of what a socket is: `TcpListener::adopt` and its
/// like look at that.
///
/// They are the caller's, and are closed in programs that are executed.  A second call gets none:
/// the variables LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES are taken out of the environment, also
/// if they are for another process.
/// Suspends: never.
/// Throws: InvalidStateError if LISTEN_FDS is no number, or counts a descriptor that is not open:
/// then no descriptor is touched.
/// Threads: any, as long as no other one uses the environment: call it at the beginning.
ASYNCIO_IO_API std::vector<PassedSocket> take_passed_sockets();

}  // namespace asyncio

// Making sockets, and taking over those that come from elsewhere.
#pragma once

#include <cstdint>
#include <system_error>

#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/io/detail/socket.h>
#include <asyncio/io/endpoint.h>

namespace asyncio::detail {

/// A new socket of `family` and `type`: non-blocking, and closed in programs that are executed.
/// Throws: IoError; NoRunningLoopError.
Socket open_socket(int family, int type, const char* call);

/// Throws: IoError, which names the endpoint.
void bind_socket(const Socket& socket, const Endpoint& at, const char* call);
void listen_on(const Socket& socket, int backlog, const char* call);

/// Connects `socket` and waits until it is.  Returns what came of it; that a TCP socket has found
/// itself counts as refused.
/// Suspends: always, unless it is refused at once.  Throws: Cancelled; ClosedError.
std::error_code connect_socket(lowlevel::CurrentTask self, Socket& socket, const Endpoint& to,
                               const char* call);

/// What a socket from elsewhere must be.
struct Wanted {
  enum class State : std::uint8_t { connected, listening, unconnected };

  const char* what;  ///< as in "a connected TCP socket"
  bool is_unix;      ///< else of either family of IP
  int type;
  State state;
};

/// Takes `fd` over and makes it as open_socket() would have.
/// Throws: std::invalid_argument unless it is what is wanted; IoError; BusyError;
/// NoRunningLoopError.  Then it is still the caller's.
Socket adopt_socket(int fd, const Wanted& wanted, const char* call);

}  // namespace asyncio::detail

// Descriptors that go with bytes through a Unix socket.
#pragma once

#include <cstddef>
#include <span>

#include <asyncio/io/bytes.h>
#include <asyncio/io/detail/socket.h>
#include <asyncio/io/unix_stream.h>

namespace asyncio::detail {

/// The most descriptors that the kernel takes at once (SCM_MAX_FD).
inline constexpr std::size_t most_fds = 253;

/// Sends some of `data` with `fds`.  Returns how much.  Requires: at most most_fds.
/// Throws: IoError; Cancelled, ClosedError, TimeoutException, with nothing sent.
std::size_t send_with_fds(Socket& socket, ConstBytes data, std::span<const int> fds,
                          const char* call);
/// As UnixStream::receive_fds().
ReceivedFds receive_with_fds(Socket& socket, std::span<std::byte> into, std::size_t most,
                             const char* call);

}  // namespace asyncio::detail

// TCP's options for what is idle and what is small.
#pragma once

#include <optional>

#include <asyncio/io/detail/socket.h>
#include <asyncio/io/tcp_options.h>

namespace asyncio::detail {

/// Throws: IoError; ClosedError.
void set_no_delay(Socket& socket, bool on, const char* call);
/// Throws: std::invalid_argument for numbers that the kernel has no use for; IoError; ClosedError.
void set_keep_alive(Socket& socket, const std::optional<KeepAlive>& keep_alive, const char* call);

}  // namespace asyncio::detail

// Endpoints as the kernel writes them.
#pragma once

#include <cstring>

#include <sys/socket.h>

#include <asyncio/io/endpoint.h>

namespace asyncio::detail {

/// An address of any family, with its length.
struct SocketAddress {
  SocketAddress() = default;
  /// For a socket of `family`, which tells how an IPv4 address is written; AF_UNSPEC: the one that
  /// the endpoint asks for.
  explicit SocketAddress(const Endpoint& endpoint, int family = AF_UNSPEC) noexcept;
  /// A copy of what others have written.  Requires: it is no longer than a sockaddr_storage.
  SocketAddress(const sockaddr* address, socklen_t length) noexcept : size(length) {
    std::memcpy(&storage, address, length);
  }

  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }

  /// An IPv4 address that came in through a socket of IPv6 is one of IPv4 again.
  Endpoint endpoint() const;

  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
};

/// AF_INET, AF_INET6 or AF_UNIX.
int family_of(const Endpoint& endpoint) noexcept;

}  // namespace asyncio::detail

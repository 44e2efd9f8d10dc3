// Datagrams of every family.
#pragma once

#include <cstddef>
#include <span>

#include <asyncio/io/bytes.h>
#include <asyncio/io/datagram.h>
#include <asyncio/io/detail/socket.h>
#include <asyncio/io/internal/sockaddr.h>

namespace asyncio::detail {

/// As UdpSocket says.
Received receive_datagram(Socket& socket, std::span<std::byte> into, const char* call);
std::size_t receive_datagrams(Socket& socket, std::span<DatagramSlot> slots, const char* call);
/// Null: to the peer.
void send_datagram(Socket& socket, ConstBytes data, SocketAddress* to, const char* name);

}  // namespace asyncio::detail

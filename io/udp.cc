#include <asyncio/io/udp.h>

#include <cerrno>
#include <stdexcept>
#include <string>

#include <netinet/in.h>
#include <sys/socket.h>

#include <asyncio/io/errors.h>
#include <asyncio/io/internal/datagrams.h>
#include <asyncio/io/internal/open_socket.h>
#include <asyncio/io/internal/sockaddr.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio {
namespace {

using detail::Socket;
using detail::SocketAddress;

void check_ip(const Endpoint& endpoint, const char* call) {
  if (endpoint.is_ip()) return;
  throw std::invalid_argument(std::string{call} + "(" + endpoint.to_string() +
                              "): give it an address and a port, not a Unix socket");
}

}  // namespace

UdpSocket UdpSocket::bind(const Endpoint& at) {
  constexpr const char* call = "UdpSocket::bind";
  check_ip(at, call);
  const int family = detail::family_of(at);
  Socket socket = detail::open_socket(family, SOCK_DGRAM, call);
  if (family == AF_INET6) {
    const bool only = at.kind() != Endpoint::Kind::any;
    socket.set_option(IPPROTO_IPV6, IPV6_V6ONLY, only ? 1 : 0, call);
  }
  detail::bind_socket(socket, at, call);
  return {std::move(socket), family};
}

UdpSocket UdpSocket::connect(const Endpoint& to) {
  constexpr const char* call = "UdpSocket::connect";
  check_ip(to, call);
  const int family = detail::family_of(to);
  Socket socket = detail::open_socket(family, SOCK_DGRAM, call);
  const SocketAddress address{to};
  if (::connect(socket.fd(), address.get(), address.size) != 0) {
    throw IoError(std::string{call} + "(" + to.to_string() + ")", detail::error_code_of(errno));
  }
  return {std::move(socket), family};
}

Received UdpSocket::receive(std::span<std::byte> into) {
  return detail::receive_datagram(socket_, into, "UdpSocket::receive");
}

std::size_t UdpSocket::receive_many(std::span<DatagramSlot> slots) {
  return detail::receive_datagrams(socket_, slots, "UdpSocket::receive_many");
}

void UdpSocket::send(ConstBytes data) {
  detail::send_datagram(socket_, data, nullptr, "UdpSocket::send");
}

void UdpSocket::send_to(ConstBytes data, const Endpoint& to) {
  constexpr const char* call = "UdpSocket::send_to";
  check_ip(to, call);
  if (family_ == AF_INET && to.address().is_v6()) {
    throw std::invalid_argument(std::string{call} + "(" + to.to_string() +
                                "): the socket is one of IPv4; bind Endpoint::any() for both");
  }
  SocketAddress address{to, family_};
  detail::send_datagram(socket_, data, &address, call);
}

}  // namespace asyncio

#include <asyncio/io/udp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <string>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/io/errors.h>
#include <asyncio/io/internal/open_socket.h>
#include <asyncio/io/internal/sockaddr.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio {
namespace {

using detail::Socket;
using detail::SocketAddress;
using lowlevel::CurrentTask;
using lowlevel::Direction;

// Each takes a header and an address on the task's stack: some 200 bytes.
constexpr std::size_t most_at_once = 32;

void check_ip(const Endpoint& endpoint, const char* call) {
  if (endpoint.is_ip()) return;
  throw std::invalid_argument(std::string{call} + "(" + endpoint.to_string() +
                              "): give it an address and a port, not a Unix socket");
}

/// Makes `call`, which returns a count or -1, until it has done something.
template <class F>
std::size_t until_done(Socket& socket, Direction direction, const char* name, F&& call) {
  CurrentTask self = lowlevel::enter(name);
  Socket::Use use{socket, direction, name};
  // As everywhere: to receive, wait first; to send, try first.
  bool waited = direction == Direction::read;
  if (waited) use.wait(self);
  for (;;) {
    const auto count = call(use.fd());
    if (count >= 0) {
      if (!waited) self.spend();
      return static_cast<std::size_t>(count);
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) detail::throw_io_error(name, use.fd());
    use.wait(self);
    waited = true;
  }
}

template <std::size_t Most>
std::size_t receive_up_to(Socket& socket, std::span<DatagramSlot> slots, const char* name) {
  std::array<iovec, Most> pieces;
  std::array<SocketAddress, Most> from;
  std::array<mmsghdr, Most> headers{};
  const std::size_t room = std::min(slots.size(), Most);
  for (std::size_t i = 0; i < room; ++i) {
    pieces[i] = {slots[i].into.data(), slots[i].into.size()};
    headers[i].msg_hdr.msg_name = from[i].get();
    headers[i].msg_hdr.msg_namelen = from[i].size;
    headers[i].msg_hdr.msg_iov = &pieces[i];
    headers[i].msg_hdr.msg_iovlen = 1;
  }
  const std::size_t count = until_done(socket, Direction::read, name, [&](int fd) {
    return ::recvmmsg(fd, headers.data(), static_cast<unsigned int>(room), 0, nullptr);
  });
  for (std::size_t i = 0; i < count; ++i) {
    from[i].size = headers[i].msg_hdr.msg_namelen;
    slots[i].received = {headers[i].msg_len, from[i].endpoint(),
                         (headers[i].msg_hdr.msg_flags & MSG_TRUNC) != 0};
  }
  return count;
}

void send_message(Socket& socket, ConstBytes data, SocketAddress* to, const char* name) {
  iovec piece{const_cast<std::byte*>(data.data()), data.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  if (to != nullptr) {
    message.msg_name = to->get();
    message.msg_namelen = to->size;
  }
  until_done(socket, Direction::write, name,
             [&](int fd) { return ::sendmsg(fd, &message, MSG_NOSIGNAL); });
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
  DatagramSlot slot{into};
  receive_up_to<1>(socket_, {&slot, 1}, "UdpSocket::receive");
  return std::move(slot.received);
}

std::size_t UdpSocket::receive_many(std::span<DatagramSlot> slots) {
  constexpr const char* call = "UdpSocket::receive_many";
  if (slots.empty()) {
    throw std::invalid_argument(std::string{call} + ": give it room for one datagram at least");
  }
  return receive_up_to<most_at_once>(socket_, slots, call);
}

void UdpSocket::send(ConstBytes data) { send_message(socket_, data, nullptr, "UdpSocket::send"); }

void UdpSocket::send_to(ConstBytes data, const Endpoint& to) {
  constexpr const char* call = "UdpSocket::send_to";
  check_ip(to, call);
  if (family_ == AF_INET && to.address().is_v6()) {
    throw std::invalid_argument(std::string{call} + "(" + to.to_string() +
                                "): the socket is one of IPv4; bind Endpoint::any() for both");
  }
  SocketAddress address{to, family_};
  send_message(socket_, data, &address, call);
}

}  // namespace asyncio

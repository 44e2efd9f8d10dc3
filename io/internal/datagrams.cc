#include <asyncio/io/internal/datagrams.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <string>

#include <sys/socket.h>
#include <sys/uio.h>

#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio::detail {
namespace {

using lowlevel::CurrentTask;
using lowlevel::Direction;

// Each takes a header and an address on the task's stack: some 200 bytes.
constexpr std::size_t most_at_once = 32;

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
    if (errno != EAGAIN) throw_io_error(name, use.fd());
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

}  // namespace

Received receive_datagram(Socket& socket, std::span<std::byte> into, const char* call) {
  DatagramSlot slot{into};
  receive_up_to<1>(socket, {&slot, 1}, call);
  return std::move(slot.received);
}

std::size_t receive_datagrams(Socket& socket, std::span<DatagramSlot> slots, const char* call) {
  if (slots.empty()) {
    throw std::invalid_argument(std::string{call} + ": give it room for one datagram at least");
  }
  return receive_up_to<most_at_once>(socket, slots, call);
}

void send_datagram(Socket& socket, ConstBytes data, SocketAddress* to, const char* name) {
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

}  // namespace asyncio::detail

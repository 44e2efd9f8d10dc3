#include <asyncio/io/unix_datagram.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <string>

#include <sys/socket.h>

#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/loop.h>
#include <asyncio/io/errors.h>
#include <asyncio/io/fd.h>
#include <asyncio/io/internal/datagrams.h>
#include <asyncio/io/internal/open_socket.h>
#include <asyncio/io/internal/sockaddr.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio {

using namespace std::chrono_literals;
using detail::Socket;
using detail::SocketAddress;

namespace {

// Nothing says when a stranger's queue has room again.
constexpr Duration first_room_pause = 1ms;
constexpr Duration longest_room_pause = 50ms;

void check_named(const Endpoint& to, const char* call) {
  if (!to.is_ip() && to.kind() != Endpoint::Kind::unnamed) return;
  throw std::invalid_argument(std::string{call} + "(" + to.to_string() +
                              "): give it Endpoint::unix_path or Endpoint::abstract");
}

}  // namespace

UnixDatagram UnixDatagram::bind(const Endpoint& at, const UnixDatagramOptions& options) {
  detail::BoundSocket bound =
      detail::bind_unix(at, SOCK_DGRAM, options.mode, options.replace_stale, "UnixDatagram::bind");
  UnixDatagram socket{std::move(bound.socket)};
  socket.path_ = std::move(bound.path);
  return socket;
}

UnixDatagram UnixDatagram::connect(const Endpoint& to) {
  constexpr const char* call = "UnixDatagram::connect";
  check_named(to, call);
  Socket socket = detail::open_socket(AF_UNIX, SOCK_DGRAM, call);
  const SocketAddress address{to};
  if (::connect(socket.fd(), address.get(), address.size) != 0) {
    throw IoError(std::string{call} + "(" + to.to_string() + ")", detail::error_code_of(errno));
  }
  return UnixDatagram{std::move(socket)};
}

std::pair<UnixDatagram, UnixDatagram> UnixDatagram::pair() {
  constexpr const char* call = "UnixDatagram::pair";
  const lowlevel::LoopRef needed{call};
  std::array<int, 2> fds{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) != 0) {
    detail::throw_io_error(call, -1);
  }
  Fd one{fds[0]};
  Fd other{fds[1]};
  Socket first{one.get(), call};
  std::move(one).release();
  Socket second{other.get(), call};
  std::move(other).release();
  return {UnixDatagram{std::move(first)}, UnixDatagram{std::move(second)}};
}

Received UnixDatagram::receive(std::span<std::byte> into) {
  return detail::receive_datagram(socket_, into, "UnixDatagram::receive");
}

std::size_t UnixDatagram::receive_many(std::span<DatagramSlot> slots) {
  return detail::receive_datagrams(socket_, slots, "UnixDatagram::receive_many");
}

void UnixDatagram::send(ConstBytes data) {
  detail::send_datagram(socket_, data, nullptr, "UnixDatagram::send");
}

void UnixDatagram::send_to(ConstBytes data, const Endpoint& to) {
  constexpr const char* call = "UnixDatagram::send_to";
  check_named(to, call);
  const SocketAddress address{to};
  lowlevel::CurrentTask self = lowlevel::enter(call);
  Socket::Use use{socket_, lowlevel::Direction::write, call};
  bool waited = false;
  for (Duration pause = first_room_pause;;) {
    if (::sendto(use.fd(), data.data(), data.size(), MSG_NOSIGNAL, address.get(), address.size) >=
        0) {
      break;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) {
      throw IoError(std::string{call} + "(" + to.to_string() + ")", detail::error_code_of(errno));
    }
    use.pause(self, pause);
    pause = std::min(2 * pause, longest_room_pause);
    waited = true;
  }
  if (!waited) self.spend();
}

}  // namespace asyncio

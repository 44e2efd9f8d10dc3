#include <asyncio/io/detail/socket.h>

#include <array>
#include <cerrno>

#include <sys/socket.h>
#include <sys/uio.h>

#include <asyncio/io/internal/sockaddr.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio::detail {

using lowlevel::Direction;

// ---- Reading and writing ------------------------------------------------------------------------

std::size_t Socket::read_some(std::span<std::byte> into, const char* call) {
  constexpr Read read = [](int fd, std::span<std::byte> bytes) -> std::ptrdiff_t {
    return ::recv(fd, bytes.data(), bytes.size(), 0);
  };
  return Channel::read_some(into, read, call);
}

void Socket::write_all(std::span<const ConstBytes> buffers, std::size_t* accepted,
                       const char* call) {
  constexpr Write write = [](int fd, std::span<const iovec> pieces) -> std::ptrdiff_t {
    if (pieces.size() == 1) {
      return ::send(fd, pieces.front().iov_base, pieces.front().iov_len, MSG_NOSIGNAL);
    }
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(pieces.data());
    message.msg_iovlen = pieces.size();
    return ::sendmsg(fd, &message, MSG_NOSIGNAL);
  };
  Channel::write_all(buffers, accepted, write, call);
}

// ---- Ending -------------------------------------------------------------------------------------

void Socket::shutdown_write(const char* call) {
  lowlevel::CurrentTask self = lowlevel::enter(call);
  const Use use{*this, Direction::write, call};
  if (::shutdown(fd(), SHUT_WR) != 0) throw_io_error(call, fd());
  self.spend();
}

void Socket::finish(Duration limit, const char* call) {
  struct Closer {
    ~Closer() {
      if (Channel* here = use.channel_or_null()) here->close();
    }
    const Use& use;
  };
  const lowlevel::CurrentTask self = lowlevel::enter_shielded(call);
  const Use writing{*this, Direction::write, call};
  Use reading{*this, Direction::read, call};
  const Closer closer{reading};
  lowlevel::enter(call);                       // a cancel closes it too
  if (::shutdown(fd(), SHUT_WR) != 0) return;  // the peer is gone: there is nothing to wait for
  const TimePoint deadline = deadline_after(loop().now(), limit);
  std::array<std::byte, 2048> dropped;
  while (reading.wait_until(self, deadline)) {
    const ssize_t got = ::recv(reading.fd(), dropped.data(), dropped.size(), 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return;
    if (reading.channel().loop().now() >= deadline) return;
  }
}

void Socket::reset() noexcept {
  const linger at_once{1, 0};
  if (is_open()) ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

// ---- What it is ---------------------------------------------------------------------------------

Endpoint Socket::local(const char* call) const {
  check(call);
  SocketAddress address;
  if (::getsockname(fd(), address.get(), &address.size) != 0) throw_io_error(call, fd());
  return address.endpoint();
}

Endpoint Socket::peer(const char* call) const {
  check(call);
  SocketAddress address;
  if (::getpeername(fd(), address.get(), &address.size) != 0) throw_io_error(call, fd());
  return address.endpoint();
}

void Socket::set_option(int level, int name, int value, const char* call) {
  check(call);
  if (::setsockopt(fd(), level, name, &value, sizeof value) != 0) throw_io_error(call, fd());
}

}  // namespace asyncio::detail

#include <asyncio/io/internal/open_socket.h>

#include <cerrno>
#include <stdexcept>
#include <string>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <asyncio/core/lowlevel/loop.h>
#include <asyncio/io/internal/sockaddr.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio::detail {

// ---- New ones -----------------------------------------------------------------------------------

Socket open_socket(int family, int type, const char* call) {
  const lowlevel::LoopRef needed{call};
  const int fd = ::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw_io_error(call, fd);
  return Socket{fd, call};
}

void bind_socket(const Socket& socket, const Endpoint& at, const char* call) {
  const SocketAddress address{at};
  if (::bind(socket.fd(), address.get(), address.size) == 0) return;
  throw IoError(std::string{call} + "(" + at.to_string() + ")", error_code_of(errno));
}

void listen_on(const Socket& socket, int backlog, const char* call) {
  if (::listen(socket.fd(), backlog) != 0) throw_io_error(call, socket.fd());
}

// ---- Connecting ---------------------------------------------------------------------------------

namespace {

/// Two ends of one socket: a port that nobody listens on was chosen as the socket's own.
bool has_found_itself(const Socket& socket, const Endpoint& to, const char* call) {
  if (!to.is_ip()) return false;
  const Endpoint local = socket.local(call);
  return local.port() == to.port() && (local.address() == to.address() || to.address().is_any());
}

}  // namespace

std::error_code connect_socket(lowlevel::CurrentTask self, Socket& socket, const Endpoint& to,
                               const char* call) {
  const SocketAddress address{to};
  if (::connect(socket.fd(), address.get(), address.size) == 0) {
    self.yield();
  } else if (errno != EINPROGRESS && errno != EINTR) {
    return error_code_of(errno);
  } else {
    Socket::Use use{socket, lowlevel::Direction::write, call};
    use.wait(self);
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(use.fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0) return error_code_of(error);
  }
  return has_found_itself(socket, to, call) ? error_code_of(ECONNREFUSED) : std::error_code{};
}

// ---- From elsewhere -----------------------------------------------------------------------------

namespace {

/// What is wrong with `fd`, or 0 if it is what is wanted; ENOTSUP if it is something else.
int find_fault(int fd, const Wanted& wanted) {
  const auto option = [fd](int name, int& value) {
    socklen_t size = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0;
  };
  int family = 0, type = 0, listens = 0;
  if (!option(SO_DOMAIN, family) || !option(SO_TYPE, type) || !option(SO_ACCEPTCONN, listens)) {
    return errno == ENOTSOCK ? ENOTSUP : errno;
  }
  const bool right_family =
      wanted.is_unix ? family == AF_UNIX : family == AF_INET || family == AF_INET6;
  const bool must_listen = wanted.state == Wanted::State::listening;
  if (!right_family || type != wanted.type || (listens != 0) != must_listen) return ENOTSUP;
  SocketAddress peer;
  const bool must_connect = wanted.state == Wanted::State::connected;
  if (must_connect && ::getpeername(fd, peer.get(), &peer.size) != 0) return errno;
  return 0;
}

bool make_ours(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
         ::fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

}  // namespace

Socket adopt_socket(int fd, const Wanted& wanted, const char* call) {
  const lowlevel::LoopRef needed{call};
  const int fault = find_fault(fd, wanted);
  if (fault == ENOTSUP) {
    throw std::invalid_argument(std::string{call} + "(fd " + std::to_string(fd) + "): it is not " +
                                wanted.what);
  }
  if (fault != 0) throw_io_error(call, fd, fault);
  if (!make_ours(fd)) throw_io_error(call, fd);
  return Socket{fd, call};
}

}  // namespace asyncio::detail

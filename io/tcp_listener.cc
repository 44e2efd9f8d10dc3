#include <asyncio/io/tcp_listener.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

#include <netinet/in.h>
#include <sys/socket.h>

#include <asyncio/io/errors.h>
#include <asyncio/io/internal/open_socket.h>
#include <asyncio/io/internal/sockaddr.h>
#include <asyncio/io/internal/tcp_options.h>

namespace asyncio {
namespace {

using detail::Socket;

enum class Port : std::uint8_t { own, shared };

Socket bind_one(const Endpoint& at, Port port, const ListenOptions& options, const char* call) {
  if (!at.is_ip()) {
    throw std::invalid_argument(std::string{call} + "(" + at.to_string() +
                                "): give it an address and a port, not a Unix socket");
  }
  if (options.backlog < 1) {
    throw std::invalid_argument(std::string{call} + ": a backlog is at least 1");
  }
  Socket socket = detail::open_socket(detail::family_of(at), SOCK_STREAM, call);
  socket.set_option(SOL_SOCKET, SO_REUSEADDR, 1, call);
  if (port == Port::shared) socket.set_option(SOL_SOCKET, SO_REUSEPORT, 1, call);
  if (at.address().is_v6()) {
    const bool only = at.kind() != Endpoint::Kind::any;
    socket.set_option(IPPROTO_IPV6, IPV6_V6ONLY, only ? 1 : 0, call);
  }
  // On Linux, connections begin with the options of their listener: accepting sets none.
  detail::set_no_delay(socket, options.no_delay, call);
  detail::set_keep_alive(socket, options.keep_alive, call);
  detail::bind_socket(socket, at, call);
  return socket;
}

Socket bind_socket(const Endpoint& at, Port port, const ListenOptions& options, const char* call) {
  if (at.kind() != Endpoint::Kind::any) return bind_one(at, port, options, call);
  try {
    return bind_one(at, port, options, call);
  } catch (const IoError& error) {
    const bool no_v6 = error.code() == std::errc::address_family_not_supported ||
                       error.code() == std::errc::address_not_available;
    if (!no_v6) throw;
  }
  return bind_one({IpAddress::any_v4(), at.port()}, port, options, call);
}

/// As Socket::local(), but what listens on everything says so.
Endpoint where(const Socket& socket, const char* call) {
  Endpoint local = socket.local(call);
  if (!local.address().is_v6() || !local.address().is_any()) return local;
  int only = 0;
  socklen_t size = sizeof only;
  ::getsockopt(socket.fd(), IPPROTO_IPV6, IPV6_V6ONLY, &only, &size);
  return only != 0 ? local : Endpoint::any(local.port());
}

}  // namespace

TcpListener TcpListener::bind(const Endpoint& at, const ListenOptions& options) {
  constexpr const char* call = "TcpListener::bind";
  Socket socket = bind_socket(at, Port::own, options, call);
  detail::listen_on(socket, options.backlog, call);
  return TcpListener{std::move(socket)};
}

std::vector<TcpListener> TcpListener::shards(const Endpoint& at, std::size_t n,
                                             const ListenOptions& options) {
  constexpr const char* call = "TcpListener::shards";
  if (n == 0) throw std::invalid_argument(std::string{call} + ": ask for one at least");
  std::vector<TcpListener> listeners;
  listeners.reserve(n);
  listeners.push_back(TcpListener{bind_socket(at, Port::shared, options, call)});
  const Endpoint chosen = where(listeners.front().socket_, call);
  while (listeners.size() < n) {
    listeners.push_back(TcpListener{bind_one(chosen, Port::shared, options, call)});
  }
  for (const TcpListener& listener : listeners) {
    detail::listen_on(listener.socket_, options.backlog, call);
  }
  return listeners;
}

TcpListener TcpListener::adopt(int fd) {
  return TcpListener{detail::adopt_socket(
      fd, {"a TCP socket that listens", false, SOCK_STREAM, detail::Wanted::State::listening},
      "TcpListener::adopt")};
}

TcpStream TcpListener::accept() { return TcpStream{socket_.accept("TcpListener::accept")}; }

std::optional<TcpStream> TcpListener::try_accept() {
  std::optional<Socket> socket = socket_.try_accept("TcpListener::try_accept");
  if (!socket) return std::nullopt;
  return TcpStream{*std::move(socket)};
}

Endpoint TcpListener::local() const { return where(socket_, "TcpListener::local"); }

}  // namespace asyncio

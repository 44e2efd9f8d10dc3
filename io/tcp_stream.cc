#include <asyncio/io/tcp_stream.h>

#include <stdexcept>
#include <string>
#include <system_error>

#include <sys/socket.h>

#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/io/errors.h>
#include <asyncio/io/internal/open_socket.h>
#include <asyncio/io/internal/sockaddr.h>
#include <asyncio/io/internal/tcp_options.h>

namespace asyncio {

using detail::Socket;

TcpStream TcpStream::connect(const Endpoint& to, const ConnectOptions& options) {
  constexpr const char* call = "TcpStream::connect";
  const lowlevel::CurrentTask self = lowlevel::enter(call);
  const std::string what = std::string{call} + "(" + to.to_string() + ")";
  if (!to.is_ip()) {
    throw std::invalid_argument(what + ": give it an address and a port, not a Unix socket");
  }
  Socket socket = detail::open_socket(detail::family_of(to), SOCK_STREAM, call);
  if (options.from) detail::bind_socket(socket, *options.from, call);
  detail::set_no_delay(socket, options.no_delay, call);
  detail::set_keep_alive(socket, options.keep_alive, call);
  if (const std::error_code error = detail::connect_socket(self, socket, to, call)) {
    throw ConnectError(what, {{to, error}});
  }
  return TcpStream{std::move(socket)};
}

TcpStream TcpStream::adopt(int fd) {
  return TcpStream{detail::adopt_socket(
      fd, {"a connected TCP socket", false, SOCK_STREAM, detail::Wanted::State::connected},
      "TcpStream::adopt")};
}

std::size_t TcpStream::read_some(std::span<std::byte> into) {
  return socket_.read_some(into, "TcpStream::read_some");
}

void TcpStream::write_all(std::span<const ConstBytes> buffers, std::size_t* accepted) {
  socket_.write_all(buffers, accepted, "TcpStream::write_all");
}

void TcpStream::shutdown_write() { socket_.shutdown_write("TcpStream::shutdown_write"); }

void TcpStream::wait_readable() { socket_.wait_readable("TcpStream::wait_readable"); }

void TcpStream::finish(Duration limit) { socket_.finish(limit, "TcpStream::finish"); }

void TcpStream::set_idle_timeout(std::optional<Duration> limit) {
  if (limit && *limit <= Duration::zero()) {
    throw std::invalid_argument(
        "TcpStream::set_idle_timeout: a limit is positive; std::nullopt waits for ever");
  }
  socket_.set_idle_timeout(limit);
}

void TcpStream::set_no_delay(bool on) {
  detail::set_no_delay(socket_, on, "TcpStream::set_no_delay");
}

void TcpStream::set_keep_alive(const std::optional<KeepAlive>& keep_alive) {
  detail::set_keep_alive(socket_, keep_alive, "TcpStream::set_keep_alive");
}

Endpoint TcpStream::local() const { return socket_.local("TcpStream::local"); }
Endpoint TcpStream::peer() const { return socket_.peer("TcpStream::peer"); }

}  // namespace asyncio

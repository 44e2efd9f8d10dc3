#include <asyncio/io/tcp_stream.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/socket.h>

#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/io/errors.h>
#include <asyncio/io/internal/names/names.h>
#include <asyncio/io/internal/open_socket.h>
#include <asyncio/io/internal/race.h>
#include <asyncio/io/internal/sockaddr.h>
#include <asyncio/io/internal/tcp_options.h>
#include <asyncio/io/resolver.h>

namespace asyncio {

using detail::Socket;

namespace {

constexpr const char* connect_call = "TcpStream::connect";

/// A socket that may connect to `to`.
Socket socket_for(const Endpoint& to, const ConnectOptions& options) {
  Socket socket = detail::open_socket(detail::family_of(to), SOCK_STREAM, connect_call);
  if (options.from) detail::bind_socket(socket, *options.from, connect_call);
  detail::set_no_delay(socket, options.no_delay, connect_call);
  detail::set_keep_alive(socket, options.keep_alive, connect_call);
  return socket;
}

/// One attempt of several.
detail::Race::Dialled dial(const Endpoint& to, const ConnectOptions& options) {
  const lowlevel::CurrentTask self = lowlevel::enter(connect_call);
  try {
    Socket socket = socket_for(to, options);
    const std::error_code error = detail::connect_socket(self, socket, to, connect_call);
    if (error) return {error, std::nullopt};
    return {{}, std::move(socket)};
  } catch (const IoError& error) {
    return {error.code(), std::nullopt};
  }
}

/// The family that `from` can connect to.
AddressFamily family_from(const std::optional<Endpoint>& from) {
  if (!from || from->kind() == Endpoint::Kind::any) return AddressFamily::any;
  return from->is_ip() && from->address().is_v6() ? AddressFamily::v6 : AddressFamily::v4;
}

}  // namespace

TcpStream TcpStream::connect(const Endpoint& to, const ConnectOptions& options) {
  const lowlevel::CurrentTask self = lowlevel::enter(connect_call);
  const std::string what = std::string{connect_call} + "(" + to.to_string() + ")";
  if (!to.is_ip()) {
    throw std::invalid_argument(what + ": give it an address and a port, not a Unix socket");
  }
  Socket socket = socket_for(to, options);
  if (const std::error_code error = detail::connect_socket(self, socket, to, connect_call)) {
    throw ConnectError(what, {{to, error}});
  }
  if (options.attempts != nullptr) *options.attempts = {{to, {}}};
  return TcpStream{std::move(socket)};
}

TcpStream TcpStream::connect(std::string_view host, std::uint16_t port,
                             const ConnectOptions& options) {
  if (const std::optional<IpAddress> literal = IpAddress::try_parse(host)) {
    return connect(Endpoint{*literal, port}, options);
  }
  const lowlevel::CurrentTask self = lowlevel::enter(connect_call);
  const detail::HostName name{host, connect_call};
  const AddressFamily family = family_from(options.from);
  Resolver& resolver =
      options.resolver != nullptr ? *options.resolver : detail::resolver_of_loop(connect_call);
  const std::shared_ptr<detail::Names> names = resolver.names_;
  detail::Race race{port,
                    {options.resolution_delay, options.attempt_delay},
                    [&](const Endpoint& to) { return dial(to, options); },
                    [&](const detail::FoundNews& news) {
                      const lowlevel::CurrentTask searching = lowlevel::enter(connect_call);
                      auto addresses = names->known(name, family, connect_call);
                      if (!addresses)
                        addresses = names->find(searching, name, family, connect_call, news);
                      news({*std::move(addresses), false, false});
                    }};
  std::optional<Socket> socket = race.run(self);
  std::vector<Attempt> attempts = race.take_attempts();
  if (socket) {
    if (options.attempts != nullptr) *options.attempts = std::move(attempts);
    return TcpStream{*std::move(socket)};
  }
  std::string what =
      std::string{connect_call} + "(" + name.text() + ":" + std::to_string(port) + ")";
  if (attempts.size() == 1) what += " at " + attempts.front().to.address().to_string();
  throw ConnectError(what, std::move(attempts));
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

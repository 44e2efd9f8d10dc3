#include <asyncio/io/unix_listener.h>

#include <stdexcept>

#include <sys/socket.h>

#include <asyncio/io/internal/open_socket.h>

namespace asyncio {

using detail::Socket;

UnixListener UnixListener::bind(const Endpoint& at, const UnixListenOptions& options) {
  constexpr const char* call = "UnixListener::bind";
  if (options.backlog < 1) {
    throw std::invalid_argument(std::string{call} + "(" + at.to_string() +
                                "): a backlog is at least 1");
  }
  detail::BoundSocket bound =
      detail::bind_unix(at, SOCK_STREAM, options.mode, options.replace_stale, call);
  UnixListener listener{std::move(bound.socket)};
  listener.path_ = std::move(bound.path);
  detail::listen_on(listener.socket_, options.backlog, call);
  return listener;
}

UnixListener UnixListener::adopt(int fd) {
  return UnixListener{detail::adopt_socket(
      fd,
      {"a Unix stream socket that listens", true, SOCK_STREAM, detail::Wanted::State::listening},
      "UnixListener::adopt")};
}

int UnixListener::release() && noexcept {
  path_.keep();
  return socket_.release();
}

UnixStream UnixListener::accept() { return UnixStream{socket_.accept("UnixListener::accept")}; }

void UnixListener::close() noexcept {
  path_.remove();
  socket_.close();
}

std::optional<UnixStream> UnixListener::try_accept() {
  std::optional<Socket> socket = socket_.try_accept("UnixListener::try_accept");
  if (!socket) return std::nullopt;
  return UnixStream{*std::move(socket)};
}

Endpoint UnixListener::local() const { return socket_.local("UnixListener::local"); }

}  // namespace asyncio

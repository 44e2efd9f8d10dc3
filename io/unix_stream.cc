#include <asyncio/io/unix_stream.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <string>
#include <system_error>

#include <sys/socket.h>

#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/loop.h>
#include <asyncio/io/errors.h>
#include <asyncio/io/internal/open_socket.h>
#include <asyncio/io/internal/passing.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio {

using namespace std::chrono_literals;
using detail::Socket;

namespace {

// Nothing says when a backlog has room again.
constexpr Duration first_pause = 1ms;
constexpr Duration longest_pause = 50ms;

}  // namespace

UnixStream UnixStream::connect(const Endpoint& to) {
  constexpr const char* call = "UnixStream::connect";
  const lowlevel::CurrentTask self = lowlevel::enter(call);
  const std::string what = std::string{call} + "(" + to.to_string() + ")";
  if (to.is_ip() || to.kind() == Endpoint::Kind::unnamed) {
    throw std::invalid_argument(what + ": give it Endpoint::unix_path or Endpoint::abstract");
  }
  Socket socket = detail::open_socket(AF_UNIX, SOCK_STREAM, call);
  for (Duration pause = first_pause;; pause = std::min(2 * pause, longest_pause)) {
    const std::error_code error = detail::connect_socket(self, socket, to, call);
    if (!error) return UnixStream{std::move(socket)};
    if (error.value() != EAGAIN) throw ConnectError(what, {{to, error}});
    Socket::Use{socket, lowlevel::Direction::write, call}.pause(self, pause);
  }
}

std::pair<UnixStream, UnixStream> UnixStream::pair() {
  constexpr const char* call = "UnixStream::pair";
  const lowlevel::LoopRef needed{call};
  std::array<int, 2> fds{-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) != 0) {
    detail::throw_io_error(call, -1);
  }
  Fd one{fds[0]};
  Fd other{fds[1]};
  Socket first{one.get(), call};
  std::move(one).release();
  Socket second{other.get(), call};
  std::move(other).release();
  return {UnixStream{std::move(first)}, UnixStream{std::move(second)}};
}

UnixStream UnixStream::adopt(int fd) {
  return UnixStream{detail::adopt_socket(
      fd, {"a connected Unix stream socket", true, SOCK_STREAM, detail::Wanted::State::connected},
      "UnixStream::adopt")};
}

std::size_t UnixStream::read_some(std::span<std::byte> into) {
  return socket_.read_some(into, "UnixStream::read_some");
}

void UnixStream::wait_readable() { socket_.wait_readable("UnixStream::wait_readable"); }

void UnixStream::write_all(std::span<const ConstBytes> buffers, std::size_t* accepted) {
  socket_.write_all(buffers, accepted, "UnixStream::write_all");
}

void UnixStream::shutdown_write() { socket_.shutdown_write("UnixStream::shutdown_write"); }

void UnixStream::send_fds(ConstBytes data, std::span<const int> fds, std::size_t* accepted) {
  constexpr const char* call = "UnixStream::send_fds";
  if (data.empty() || fds.empty() || fds.size() > detail::most_fds) {
    throw std::invalid_argument(std::string{call} + "(" + std::to_string(data.size()) + " bytes, " +
                                std::to_string(fds.size()) +
                                " descriptors): give it at least one byte, which the descriptors "
                                "go with, and 1 to 253 descriptors");
  }
  std::size_t unasked = 0;
  std::size_t& done = accepted == nullptr ? unasked : *accepted;
  done = 0;
  done = detail::send_with_fds(socket_, data, fds, call);
  const ConstBytes rest = data.subspan(done);
  if (rest.empty()) return;
  const std::size_t first = done;
  std::size_t more = 0;
  try {
    socket_.write_all({&rest, 1}, &more, call);
  } catch (...) {
    done = first + more;
    throw;
  }
  done = data.size();
}

ReceivedFds UnixStream::receive_fds(std::span<std::byte> into, std::size_t most) {
  constexpr const char* call = "UnixStream::receive_fds";
  if (into.empty()) {
    throw std::invalid_argument(std::string{call} +
                                ": descriptors come with bytes; give it room for one at least");
  }
  return detail::receive_with_fds(socket_, into, most, call);
}

Credentials UnixStream::peer_credentials() const {
  constexpr const char* call = "UnixStream::peer_credentials";
  socket_.check(call);
  ucred who{};
  socklen_t size = sizeof who;
  if (::getsockopt(fd(), SOL_SOCKET, SO_PEERCRED, &who, &size) != 0) {
    detail::throw_io_error(call, fd());
  }
  return {who.pid, who.uid, who.gid};
}

void UnixStream::set_idle_timeout(std::optional<Duration> limit) {
  if (limit && *limit <= Duration::zero()) {
    throw std::invalid_argument(
        "UnixStream::set_idle_timeout: a limit is positive; std::nullopt waits for ever");
  }
  socket_.set_idle_timeout(limit);
}

Endpoint UnixStream::local() const { return socket_.local("UnixStream::local"); }
Endpoint UnixStream::peer() const { return socket_.peer("UnixStream::peer"); }

}  // namespace asyncio

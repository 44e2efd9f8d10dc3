#include <asyncio/io/unix_listener.h>

#include <cerrno>
#include <stdexcept>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <asyncio/io/errors.h>
#include <asyncio/io/fd.h>
#include <asyncio/io/internal/open_socket.h>
#include <asyncio/io/internal/sockaddr.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio {
namespace {

using detail::Socket;

constexpr const char* call_of_bind = "UnixListener::bind";

bool is_same(const struct stat& a, const struct stat& b) noexcept {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// Removes the socket that is left of a program which has ended.  Returns false if that is not what
/// is there.
bool remove_stale(const Endpoint& at) {
  const char* const path = at.name().c_str();
  struct stat before {};
  if (::lstat(path, &before) != 0 || !S_ISSOCK(before.st_mode)) return false;
  // Refused: nobody listens.  Anything else says that somebody does, or may.
  const Fd probe{::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  const detail::SocketAddress address{at};
  const bool refused =
      ::connect(probe.get(), address.get(), address.size) != 0 && errno == ECONNREFUSED;
  struct stat after {};
  if (!refused || ::lstat(path, &after) != 0 || !is_same(before, after)) return false;
  return ::unlink(path) == 0;
}

Socket bind_path(const Endpoint& at, const UnixListenOptions& options) {
  Socket socket = detail::open_socket(AF_UNIX, SOCK_STREAM, call_of_bind);
  // The path is made with the socket's own mode, less the umask: never a moment with more.
  if (::fchmod(socket.fd(), options.mode) != 0) {
    detail::throw_io_error(call_of_bind, socket.fd());
  }
  try {
    detail::bind_socket(socket, at, call_of_bind);
  } catch (const IoError& error) {
    const bool is_taken = error.code() == std::errc::address_in_use;
    if (!is_taken || !options.replace_stale || !remove_stale(at)) throw;
    detail::bind_socket(socket, at, call_of_bind);
  }
  return socket;
}

/// What stands at `path`, with exactly this mode.
/// Throws: IoError.
struct stat settle_mode(const std::string& path, mode_t mode) {
  const Fd made{::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
  struct stat status {};
  if (made.get() < 0 || ::fstat(made.get(), &status) != 0) {
    detail::throw_io_error(call_of_bind, made.get());
  }
  if ((status.st_mode & 07777) == mode || !S_ISSOCK(status.st_mode)) return status;
  const std::string itself = "/proc/self/fd/" + std::to_string(made.get());
  if (::chmod(itself.c_str(), mode) != 0) detail::throw_io_error(call_of_bind, made.get());
  return status;
}

}  // namespace

UnixListener UnixListener::bind(const Endpoint& at, const UnixListenOptions& options) {
  const std::string what = std::string{call_of_bind} + "(" + at.to_string() + ")";
  if (at.is_ip() || at.kind() == Endpoint::Kind::unnamed) {
    throw std::invalid_argument(what + ": give it Endpoint::unix_path or Endpoint::abstract");
  }
  if (options.backlog < 1) throw std::invalid_argument(what + ": a backlog is at least 1");
  if ((options.mode & ~mode_t{0777}) != 0) {
    throw std::invalid_argument(what + ": a mode is an octal number up to 0777");
  }
  if (at.kind() == Endpoint::Kind::abstract) {
    UnixListener listener{detail::open_socket(AF_UNIX, SOCK_STREAM, call_of_bind)};
    detail::bind_socket(listener.socket_, at, call_of_bind);
    detail::listen_on(listener.socket_, options.backlog, call_of_bind);
    return listener;
  }
  UnixListener listener{bind_path(at, options)};
  const struct stat made = settle_mode(at.name(), options.mode);
  listener.path_ = at.name();
  listener.device_ = made.st_dev;
  listener.inode_ = made.st_ino;
  detail::listen_on(listener.socket_, options.backlog, call_of_bind);
  return listener;
}

UnixListener UnixListener::adopt(int fd) {
  return UnixListener{detail::adopt_socket(
      fd,
      {"a Unix stream socket that listens", true, SOCK_STREAM, detail::Wanted::State::listening},
      "UnixListener::adopt")};
}

UnixListener::UnixListener(UnixListener&& other) noexcept
    : socket_(std::move(other.socket_)),
      path_(std::exchange(other.path_, {})),
      device_(other.device_),
      inode_(other.inode_) {}

UnixListener& UnixListener::operator=(UnixListener&& other) noexcept {
  if (this == &other) return *this;
  close();
  socket_ = std::move(other.socket_);
  path_ = std::exchange(other.path_, {});
  device_ = other.device_;
  inode_ = other.inode_;
  return *this;
}

int UnixListener::release() && noexcept {
  path_.clear();
  return socket_.release();
}

UnixStream UnixListener::accept() { return UnixStream{socket_.accept("UnixListener::accept")}; }

void UnixListener::close() noexcept {
  if (!path_.empty()) {
    struct stat there {};
    const bool is_ours =
        ::lstat(path_.c_str(), &there) == 0 && there.st_dev == device_ && there.st_ino == inode_;
    if (is_ours) ::unlink(path_.c_str());
    path_.clear();
  }
  socket_.close();
}

std::optional<UnixStream> UnixListener::try_accept() {
  std::optional<Socket> socket = socket_.try_accept("UnixListener::try_accept");
  if (!socket) return std::nullopt;
  return UnixStream{*std::move(socket)};
}

Endpoint UnixListener::local() const { return socket_.local("UnixListener::local"); }

}  // namespace asyncio

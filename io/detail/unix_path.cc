#include <asyncio/io/detail/unix_path.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <asyncio/io/errors.h>
#include <asyncio/io/fd.h>
#include <asyncio/io/internal/open_socket.h>
#include <asyncio/io/internal/sockaddr.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio::detail {
namespace {

bool is_same(const struct stat& a, const struct stat& b) noexcept {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/// Removes the socket that is left of a program which has ended.  Returns false if that is not what
/// is there.
bool remove_stale(const Endpoint& at, int type) {
  const char* const path = at.name().c_str();
  struct stat before {};
  if (::lstat(path, &before) != 0 || !S_ISSOCK(before.st_mode)) return false;
  // Refused: nobody listens.  Anything else says that somebody does, or may.
  const Fd probe{::socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  const SocketAddress address{at};
  const bool refused =
      ::connect(probe.get(), address.get(), address.size) != 0 && errno == ECONNREFUSED;
  struct stat after {};
  if (!refused || ::lstat(path, &after) != 0 || !is_same(before, after)) return false;
  return ::unlink(path) == 0;
}

Socket bind_path(const Endpoint& at, int type, mode_t mode, bool replace_stale, const char* call) {
  Socket socket = open_socket(AF_UNIX, type, call);
  // The path is made with the socket's own mode, less the umask: never a moment with more.
  if (::fchmod(socket.fd(), mode) != 0) {
    throw_io_error(call, socket.fd());
  }
  try {
    bind_socket(socket, at, call);
  } catch (const IoError& error) {
    const bool is_taken = error.code() == std::errc::address_in_use;
    if (!is_taken || !replace_stale || !remove_stale(at, type)) throw;
    bind_socket(socket, at, call);
  }
  return socket;
}

/// What stands at `path`, with exactly this mode.
/// Throws: IoError.
struct stat settle_mode(const std::string& path, mode_t mode, const char* call) {
  const Fd made{::open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
  struct stat status {};
  if (made.get() < 0 || ::fstat(made.get(), &status) != 0) {
    throw_io_error(call, made.get());
  }
  if ((status.st_mode & 07777) == mode || !S_ISSOCK(status.st_mode)) return status;
  const std::string itself = "/proc/self/fd/" + std::to_string(made.get());
  if (::chmod(itself.c_str(), mode) != 0) throw_io_error(call, made.get());
  return status;
}

}  // namespace

UnixPath& UnixPath::operator=(UnixPath&& other) noexcept {
  if (this == &other) return *this;
  remove();
  path_ = std::exchange(other.path_, {});
  device_ = other.device_;
  inode_ = other.inode_;
  return *this;
}

void UnixPath::remove() noexcept {
  if (path_.empty()) return;
  struct stat there {};
  const bool is_ours =
      ::lstat(path_.c_str(), &there) == 0 && there.st_dev == device_ && there.st_ino == inode_;
  if (is_ours) ::unlink(path_.c_str());
  path_.clear();
}

BoundSocket bind_unix(const Endpoint& at, int type, mode_t mode, bool replace_stale,
                      const char* call) {
  const std::string what = std::string{call} + "(" + at.to_string() + ")";
  if (at.is_ip() || at.kind() == Endpoint::Kind::unnamed) {
    throw std::invalid_argument(what + ": give it Endpoint::unix_path or Endpoint::abstract");
  }
  if ((mode & ~mode_t{0777}) != 0) {
    throw std::invalid_argument(what + ": a mode is an octal number up to 0777");
  }
  if (at.kind() == Endpoint::Kind::abstract) {
    Socket socket = open_socket(AF_UNIX, type, call);
    bind_socket(socket, at, call);
    return {std::move(socket), UnixPath{}};
  }
  Socket socket = bind_path(at, type, mode, replace_stale, call);
  const struct stat made = settle_mode(at.name(), mode, call);
  return {std::move(socket), UnixPath{at.name(), made.st_dev, made.st_ino}};
}

}  // namespace asyncio::detail

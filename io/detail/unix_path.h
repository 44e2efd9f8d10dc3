// The path of a Unix socket, as long as it is ours.
#pragma once

#include <string>
#include <utility>

#include <sys/types.h>

#include <asyncio/io/detail/socket.h>
#include <asyncio/io/endpoint.h>
#include <asyncio/io/export.h>

namespace asyncio::detail {

/// Removes what it has made, unless something else has its place by then.
class ASYNCIO_IO_API UnixPath {
 public:
  UnixPath() = default;
  UnixPath(std::string path, dev_t device, ino_t inode) noexcept
      : path_(std::move(path)), device_(device), inode_(inode) {}
  UnixPath(UnixPath&& other) noexcept
      : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}
  UnixPath& operator=(UnixPath&& other) noexcept;
  ~UnixPath() { remove(); }

  void remove() noexcept;
  /// Leaves it where it is.
  void keep() noexcept { path_.clear(); }

 private:
  std::string path_;  ///< to be removed; empty: none
  dev_t device_ = 0;  ///< of what it was when it was made
  ino_t inode_ = 0;
};

/// A socket that is bound to a path or an abstract name.
struct BoundSocket {
  Socket socket;
  UnixPath path;
};

/// Makes one, with exactly this mode.
/// Throws: IoError; std::invalid_argument; NoRunningLoopError.
BoundSocket bind_unix(const Endpoint& at, int type, mode_t mode, bool replace_stale,
                      const char* call);

}  // namespace asyncio::detail

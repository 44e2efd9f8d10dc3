// Waiting for connections of other processes of this machine.
#pragma once

#include <optional>
#include <utility>

#include <sys/types.h>

#include <asyncio/io/detail/socket.h>
#include <asyncio/io/detail/unix_path.h>
#include <asyncio/io/endpoint.h>
#include <asyncio/io/export.h>
#include <asyncio/io/unix_stream.h>

namespace asyncio {

struct UnixListenOptions {
  /// Who may connect, as permissions of the path, whatever the process's umask.  An abstract name
  /// has none: everybody may, so ask for peer_credentials().
  mode_t mode = 0600;
  /// Takes the place of a socket that is left of a program which has ended.  One that a program
  /// listens on is refused all the same, and so is a file of any other kind.
  bool replace_stale = false;
  /// How many connections may wait to be accepted; the kernel may have a lower limit.
  int backlog = 4096;
};

/// Belongs to the loop it was made in.  It may be moved while a task accepts.
class ASYNCIO_IO_API UnixListener {
 public:
  /// Listens on a path, which it makes and removes at its end, or on an abstract name.
  /// Suspends: never.
  /// Throws: IoError; std::invalid_argument; NoRunningLoopError.
  static UnixListener bind(const Endpoint& at, const UnixListenOptions& options = {});

  /// Takes over a socket that listens, such as an inherited one.  Its path stays at its end.  If it
  /// throws, `fd` is still the caller's.
  /// Throws: std::invalid_argument if `fd` is no Unix socket that listens; IoError if it is not
  /// open; BusyError if a task waits on it by its number; NoRunningLoopError.
  static UnixListener adopt(int fd);
  /// Gives the descriptor to the caller, who goes on listening; the path stays.  A task that
  /// accepts gets ClosedError.  Returns -1 if it is closed.
  int release() && noexcept;

  /// As TcpListener::accept().
  UnixStream accept();
  /// A connection that is waiting already, or nothing; also while a task is in accept().
  /// Suspends: never.
  /// Throws: IoError, also while descriptors or memory are short; ClosedError.
  std::optional<UnixStream> try_accept();

  /// Stops listening, and removes the path, unless something else has its place by now.  A task
  /// that accepts gets ClosedError.  Harmless if it is closed.
  /// Suspends: never.  Threads: any, unless a task accepts.
  void close() noexcept;
  bool is_closed() const noexcept { return !socket_.is_open(); }

  /// Throws: IoError; ClosedError.
  Endpoint local() const;
  /// For options that have no function here; -1 once it is closed.  It stays the listener's.
  int fd() const noexcept { return socket_.fd(); }

 private:
  explicit UnixListener(detail::Socket socket) noexcept : socket_(std::move(socket)) {}

  detail::Socket socket_;
  detail::UnixPath path_;  ///< goes first, so that nobody finds it refuse
};

}  // namespace asyncio

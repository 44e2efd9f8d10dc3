// A connection between two processes of one machine, over which descriptors can be sent.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include <sys/types.h>

#include <asyncio/core/time.h>
#include <asyncio/io/detail/socket.h>
#include <asyncio/io/endpoint.h>
#include <asyncio/io/export.h>
#include <asyncio/io/fd.h>
#include <asyncio/io/stream.h>

namespace asyncio {

/// Who a process was when it connected, or began to listen.
struct Credentials {
  pid_t pid;
  uid_t uid;
  gid_t gid;
};

/// Bytes, and descriptors that came with them.
struct ReceivedFds {
  std::size_t size = 0;  ///< bytes; 0 at the end of the stream
  std::vector<Fd> fds;   ///< they are closed in programs that this one executes
};

/// Belongs to the loop it was made in.  It may be moved while tasks read and write, and costs what
/// a TcpStream does.
class ASYNCIO_IO_API UnixStream final : public Stream {
 public:
  /// Connects to a path or an abstract name.  As long as the listener's backlog is full it tries
  /// again: the limit is the scope's.
  /// Suspends: always.
  /// Cancels: Cancelled; the socket is closed.
  /// Throws: ConnectError; std::invalid_argument for an endpoint of another kind; NotInTaskError.
  static UnixStream connect(const Endpoint& to);
  /// Two ends of one connection.
  /// Throws: IoError; NoRunningLoopError.
  static std::pair<UnixStream, UnixStream> pair();

  /// As TcpStream.
  /// Throws: std::invalid_argument if `fd` is no Unix stream socket; IoError if it is not open or
  /// not connected; BusyError if a task waits on it by its number; NoRunningLoopError.
  static UnixStream adopt(int fd);
  int release() && noexcept { return socket_.release(); }

  using Stream::write_all;
  std::size_t read_some(std::span<std::byte> into) override;
  /// Suspends: always.
  void wait_readable() override;
  void write_all(std::span<const ConstBytes> buffers, std::size_t* accepted = nullptr) override;
  void shutdown_write() override;
  void close() noexcept override { socket_.close(); }
  bool is_closed() const noexcept override { return !socket_.is_open(); }
  detail::Channel* channel(lowlevel::Direction) noexcept override { return &socket_; }

  /// Writes `data`, and with its first byte the descriptors, which stay the caller's.
  /// Suspends: as write_all().
  /// Cancels: as write_all(); if any byte was accepted, the descriptors are on their way.
  /// Throws: std::invalid_argument unless there are data and 1 to 253 descriptors; and as
  /// write_all().
  void send_fds(ConstBytes data, std::span<const int> fds, std::size_t* accepted = nullptr);
  /// As read_some(), with the descriptors that came with what is read: at most those of one
  /// send_fds().
  /// Suspends: until there is something.
  /// Cancels: Cancelled; nothing is lost.
  /// Throws: LimitError if more than `most` descriptors came, IoError if this process may open no
  /// more: in both cases all of them are closed, and the bytes are dropped.  And as read_some();
  /// std::invalid_argument for nothing to read into.
  ReceivedFds receive_fds(std::span<std::byte> into, std::size_t most);

  /// Who is at the other end: the kernel's word.  Of a pair(), this process itself.
  /// Throws: IoError; ClosedError.
  Credentials peer_credentials() const;

  /// As TcpStream.
  void set_idle_timeout(std::optional<Duration> limit);
  /// Throws: IoError; ClosedError.
  Endpoint local() const;
  Endpoint peer() const;
  /// For options that have no function here; -1 once it is closed.  It stays the stream's.
  int fd() const noexcept { return socket_.fd(); }

 private:
  friend class UnixListener;

  explicit UnixStream(detail::Socket socket) noexcept : socket_(std::move(socket)) {}

  detail::Socket socket_;
};

}  // namespace asyncio

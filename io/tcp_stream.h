// A TCP connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include <asyncio/core/time.h>
#include <asyncio/io/detail/socket.h>
#include <asyncio/io/endpoint.h>
#include <asyncio/io/export.h>
#include <asyncio/io/stream.h>
#include <asyncio/io/tcp_options.h>

namespace asyncio {

/// Belongs to the loop it was made in.  It may be moved while tasks read and write: they follow.
/// Destroyed while they do, they get ClosedError.
///
/// Cost: a call that need not wait is one system call; a wait is a share of the loop's.  Reading
/// waits first, unless the last read filled its buffer: reading until there is nothing would cost
/// one call more.  No call allocates.
class ASYNCIO_IO_API TcpStream final : public Stream {
 public:
  /// Connects to an address and a port.
  /// Suspends: always.
  /// Cancels: Cancelled; the socket is closed.
  /// Throws: ConnectError; std::invalid_argument for the endpoint of a Unix socket; NotInTaskError.
  static TcpStream connect(const Endpoint& to, const ConnectOptions& options = {});
  /// Connects to a host, by its name or a literal address: to whichever of its addresses answers
  /// first, as RFC 8305 says.  The families take turns, IPv6 first.  The next address is tried when
  /// an attempt fails, or has taken as long as `options` says; earlier attempts go on meanwhile.
  /// With `options.from`, only addresses of its family are tried.
  /// Suspends: always.
  /// Cancels: Cancelled; every socket is closed.
  /// Throws: ConnectError, which lists every attempt; ResolveError and what else
  /// Resolver::resolve() throws; std::invalid_argument; NotInTaskError.
  static TcpStream connect(std::string_view host, std::uint16_t port,
                           const ConnectOptions& options = {});

  /// Takes over a connected socket, which becomes non-blocking and is closed in programs that this
  /// one executes.  If it throws, `fd` is still the caller's.
  /// Throws: std::invalid_argument if `fd` is no TCP socket; IoError if it is not open or not
  /// connected; BusyError if a task waits on it by its number; NoRunningLoopError.
  static TcpStream adopt(int fd);
  /// Gives the descriptor to the caller, open and non-blocking: to another loop's adopt(), for one.
  /// Tasks that read or write get ClosedError.  Returns -1 if it is closed.
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

  /// Ends the connection so that the peer gets all that was written: says that nothing more comes,
  /// then reads and drops what the peer sends until its end, but at most for `limit`, and closes.
  /// A mere close() with input unread resets the connection, which drops what is under way.
  /// Suspends: until the peer has ended, or `limit`.
  /// Cancels: Cancelled; it is closed.
  /// Throws: BusyError if another task reads or writes, which leaves it open; ClosedError.
  void finish(Duration limit);
  /// Closes so that the peer gets an error, and drops what is under way.
  void reset() noexcept { socket_.reset(); }

  /// How long one wait for the peer may last, in read_some(), write_all() and wait_readable().
  /// After that they throw TimeoutException, and the stream is as good as before.  Every byte that
  /// gets through begins the time anew.  Nothing: for ever, which is the default.
  /// Throws: std::invalid_argument unless it is positive.
  void set_idle_timeout(std::optional<Duration> limit);
  /// Throws: IoError; ClosedError; std::invalid_argument.
  void set_no_delay(bool on);
  /// Nothing: the kernel never asks.
  void set_keep_alive(const std::optional<KeepAlive>& keep_alive);

  /// Throws: IoError; ClosedError.
  Endpoint local() const;
  Endpoint peer() const;
  /// For options that have no function here; -1 once it is closed.  It stays the stream's.
  int fd() const noexcept { return socket_.fd(); }

 private:
  friend class TcpListener;

  explicit TcpStream(detail::Socket socket) noexcept : socket_(std::move(socket)) {}

  detail::Socket socket_;
};

}  // namespace asyncio

// Waiting for TCP connections.
#pragma once

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include <asyncio/io/detail/socket.h>
#include <asyncio/io/endpoint.h>
#include <asyncio/io/export.h>
#include <asyncio/io/tcp_options.h>
#include <asyncio/io/tcp_stream.h>

namespace asyncio {

/// Belongs to the loop it was made in.  It may be moved while a task accepts.
class ASYNCIO_IO_API TcpListener {
 public:
  /// Listens on one address, or on all of both families for Endpoint::any(), by one socket; where
  /// there is no IPv6, on all of IPv4.  The address `[::]` by itself is IPv6 alone, so that it and
  /// `0.0.0.0` may have the same port.  A port that a closed connection still keeps may be used.
  /// Suspends: never.
  /// Throws: IoError; std::invalid_argument; NoRunningLoopError.
  static TcpListener bind(const Endpoint& at, const ListenOptions& options = {});

  /// `n` listeners on one endpoint, among which the kernel shares out the connections: one for each
  /// of `n` loops.  All are bound before any listens, so none gets more than its share.
  /// A loop takes one over by adopt(), from where it was made by release().
  /// Other programs of the same user may share the port, too.
  /// Throws: as bind().
  static std::vector<TcpListener> shards(const Endpoint& at, std::size_t n,
                                         const ListenOptions& options = {});

  /// Takes over a socket that listens, such as an inherited one.  Connections have its options.  If
  /// it throws, `fd` is still the caller's.
  /// Throws: std::invalid_argument if `fd` is no TCP socket that listens; IoError if it is not
  /// open; BusyError if a task waits on it by its number; NoRunningLoopError.
  static TcpListener adopt(int fd);
  /// Gives the descriptor to the caller, who goes on listening.  A task that accepts gets
  /// ClosedError.  Returns -1 if it is closed.
  int release() && noexcept { return socket_.release(); }

  /// The next connection.  One that its client has given up is passed over.  While descriptors or
  /// memory are short, connections wait: it tries again after 10 ms, then ever more rarely, up to
  /// once a second, and tells the exception handler at most once a second.
  /// Suspends: until there is one; after 64 in a row that were there already, others get a turn.
  /// Cancels: Cancelled; no connection is lost.
  /// Throws: IoError; BusyError if another task accepts; ClosedError if it is closed, before or
  /// meanwhile; NotInTaskError.
  TcpStream accept();
  /// A connection that is waiting already, or nothing; also while a task is in accept().
  /// Suspends: never.
  /// Throws: IoError, also while descriptors or memory are short; ClosedError.
  std::optional<TcpStream> try_accept();

  /// Stops listening.  Connections that were not accepted are reset by the kernel.  A task that
  /// accepts gets ClosedError.  Harmless if it is closed.
  /// Suspends: never.  Threads: any, unless a task accepts.
  void close() noexcept { socket_.close(); }
  bool is_closed() const noexcept { return !socket_.is_open(); }

  /// Where it listens, with the port that the kernel chose.
  /// Throws: IoError; ClosedError.
  Endpoint local() const;
  /// For options that have no function here; -1 once it is closed.  It stays the listener's.
  int fd() const noexcept { return socket_.fd(); }

 private:
  explicit TcpListener(detail::Socket socket) noexcept : socket_(std::move(socket)) {}

  detail::Socket socket_;
};

}  // namespace asyncio

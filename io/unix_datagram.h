// Datagrams between processes of one machine.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include <sys/types.h>

#include <asyncio/io/bytes.h>
#include <asyncio/io/datagram.h>
#include <asyncio/io/detail/socket.h>
#include <asyncio/io/detail/unix_path.h>
#include <asyncio/io/endpoint.h>
#include <asyncio/io/export.h>

namespace asyncio {

struct UnixDatagramOptions {
  /// Who may send, as permissions of the path, whatever the process's umask.
  mode_t mode = 0600;
  /// As UnixListenOptions::replace_stale.
  bool replace_stale = false;
};

/// Datagrams here are neither lost nor out of order: a sender waits for a receiver that is slow.
///
/// Belongs to the loop it was made in.  One task at a time receives and one sends.
/// Threads: the thread of its loop, except for the destructor and close().
class ASYNCIO_IO_API UnixDatagram {
 public:
  /// Receives what is sent to a path, which it makes and removes at its end, or to an abstract
  /// name.
  /// Suspends: never.
  /// Throws: IoError; std::invalid_argument; NoRunningLoopError.
  static UnixDatagram bind(const Endpoint& at, const UnixDatagramOptions& options = {});
  /// Sends to one peer, which cannot answer: this one has no name.
  /// Suspends: never.
  /// Throws: as bind().
  static UnixDatagram connect(const Endpoint& to);
  /// Two that send to each other.
  static std::pair<UnixDatagram, UnixDatagram> pair();

  /// As UdpSocket::receive(); `from` is unnamed for a sender that is not bound.
  Received receive(std::span<std::byte> into);
  std::size_t receive_many(std::span<DatagramSlot> slots);

  /// Sends one datagram to the peer.
  /// Suspends: while its queue is full.
  /// Cancels: Cancelled; nothing is sent.
  /// Throws: IoError, for example if nobody is there or it is too large; BusyError; ClosedError;
  /// NotInTaskError.
  void send(ConstBytes data);
  /// Likewise, to anybody.  The system does not say when somebody else's queue has room again, so
  /// it looks from time to time.
  /// Throws: std::invalid_argument for what is no path or abstract name.
  void send_to(ConstBytes data, const Endpoint& to);

  /// A task that receives or sends gets ClosedError.  Harmless if it is closed.
  /// Suspends: never.
  void close() noexcept {
    path_.remove();
    socket_.close();
  }
  bool is_closed() const noexcept { return !socket_.is_open(); }

  /// Throws: IoError; ClosedError.
  Endpoint local() const { return socket_.local("UnixDatagram::local"); }
  /// For options that have no function here; -1 once it is closed.  It stays the socket's.
  int fd() const noexcept { return socket_.fd(); }

 private:
  explicit UnixDatagram(detail::Socket socket) noexcept : socket_(std::move(socket)) {}

  detail::Socket socket_;
  detail::UnixPath path_;
};

}  // namespace asyncio

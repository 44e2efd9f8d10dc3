// Datagrams over UDP.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

#include <asyncio/io/bytes.h>
#include <asyncio/io/datagram.h>
#include <asyncio/io/detail/socket.h>
#include <asyncio/io/endpoint.h>
#include <asyncio/io/export.h>

namespace asyncio {

/// Belongs to the loop it was made in.  One task at a time receives and one sends.
/// Threads: the thread of its loop, except for the destructor and close().
class ASYNCIO_IO_API UdpSocket {
 public:
  /// Receives what comes to one address, or for Endpoint::any() to all of both families.
  /// Suspends: never.
  /// Throws: IoError; std::invalid_argument; NoRunningLoopError.
  static UdpSocket bind(const Endpoint& at);
  /// Exchanges datagrams with one peer: only its own are received, and if nobody is there, a later
  /// call learns of it by an IoError.  Nothing is sent.
  /// Suspends: never.
  /// Throws: as bind().
  static UdpSocket connect(const Endpoint& to);

  /// Receives one datagram.
  /// Suspends: until there is one.
  /// Cancels: Cancelled; nothing is lost.
  /// Throws: IoError, of a connected one also for what an earlier send() met; BusyError;
  /// ClosedError; NotInTaskError.
  Received receive(std::span<std::byte> into);
  /// Receives up to as many datagrams as there are slots, by one system call for 32.  Returns how
  /// many: at least one.
  /// Suspends, Cancels, Throws: as receive(); std::invalid_argument without a slot.
  std::size_t receive_many(std::span<DatagramSlot> slots);

  /// Sends one datagram to the peer.  That it was sent does not say that it arrives.
  /// Suspends: while the kernel has no room.
  /// Cancels: Cancelled; nothing is sent.
  /// Throws: IoError, if it is too large or for what an earlier one met, and without a peer;
  /// BusyError; ClosedError; NotInTaskError.
  void send(ConstBytes data);
  /// Likewise, to anybody; one that nobody receives is no error.
  /// Throws: std::invalid_argument for what is no address and port.
  void send_to(ConstBytes data, const Endpoint& to);

  /// A task that receives or sends gets ClosedError.  Harmless if it is closed.
  /// Suspends: never.
  void close() noexcept { socket_.close(); }
  bool is_closed() const noexcept { return !socket_.is_open(); }

  /// Throws: IoError; ClosedError.
  Endpoint local() const { return socket_.local("UdpSocket::local"); }
  Endpoint peer() const { return socket_.peer("UdpSocket::peer"); }
  /// For options that have no function here; -1 once it is closed.  It stays the socket's.
  int fd() const noexcept { return socket_.fd(); }

 private:
  UdpSocket(detail::Socket socket, int family) noexcept
      : socket_(std::move(socket)), family_(family) {}

  detail::Socket socket_;
  int family_;  ///< how addresses are written for it
};

}  // namespace asyncio

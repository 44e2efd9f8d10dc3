// Between OpenSSL and a TCP connection.  OpenSSL neither waits here nor fails for want of room: it
// reads what there is, and writes into a queue, which is sent between its calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/wait_queue.h>
#include <asyncio/io/tcp_stream.h>
#include <asyncio/tls/internal/openssl.h>
#include <asyncio/tls/internal/outgoing.h>

namespace asyncio::detail {

class TlsTransport {
 public:
  /// How much is received at a time.
  static constexpr std::size_t read_ahead = 32768;

  explicit TlsTransport(TcpStream tcp) noexcept : tcp_(std::move(tcp)) {}
  TlsTransport(const TlsTransport&) = delete;
  TlsTransport& operator=(const TlsTransport&) = delete;

  /// How OpenSSL reaches an object of this class.
  static BioMethodPtr make_bio_method();
  /// Throws: std::bad_alloc.
  BioPtr make_bio(const BIO_METHOD& method);

  TcpStream& tcp() noexcept { return tcp_; }
  const TcpStream& tcp() const noexcept { return tcp_; }
  TlsOutgoing& outgoing() noexcept { return outgoing_; }

  /// Before each call of OpenSSL's: so often it may receive, so that even a peer that sends nothing
  /// but empty records lets others run.
  void begin_call() noexcept { receives_left_ = 8; }

  /// Waits until there is something to receive; spurious returns are possible.
  /// Suspends: always.  Cancels: Cancelled.  Throws: as TcpStream::wait_readable().
  void wait_for_input(const char* call);
  /// Sends all that is queued.
  /// Suspends: as TcpStream::write_all().  Cancels: Cancelled; what has not been sent stays queued.
  /// Throws: as TcpStream::write_all().
  void flush();
  /// Sends what the kernel takes at once, unless a task is in flush(), which will do so.
  void flush_now() noexcept;

  /// Throws ClosedError in those who wait, and is open as before.
  /// Throws: what TcpStream::adopt() throws; it is closed then.
  void shake_off();

  bool has_ended() const noexcept { return ended_; }
  /// The errno of receiving, or 0.
  int receive_error() const noexcept { return receive_error_; }

 private:
  int receive(std::span<std::byte> into) noexcept;

  static int on_read(BIO* bio, char* into, int size) noexcept;
  static int on_write(BIO* bio, const char* from, int size) noexcept;
  static long on_control(BIO* bio, int what, long number, void* pointer) noexcept;
  static int on_create(BIO* bio) noexcept;

  TcpStream tcp_;
  TlsOutgoing outgoing_;
  lowlevel::WaitQueue others_;  ///< those that wait for input beside the one who watches
  int receive_error_ = 0;
  std::uint8_t receives_left_ = 0;
  bool may_receive_ = false;  ///< there was something, or the last buffer was filled
  bool ended_ = false;
  bool is_watched_ = false;
  bool is_flushing_ = false;
};

}  // namespace asyncio::detail

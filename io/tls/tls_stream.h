// A TCP connection that nobody can read or change on its way.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <asyncio/core/time.h>
#include <asyncio/io/endpoint.h>
#include <asyncio/io/stream.h>
#include <asyncio/io/tcp_stream.h>
#include <asyncio/tls/export.h>
#include <asyncio/tls/tls_context.h>

struct ssl_st;

namespace asyncio {

namespace detail {
class TlsConnection;
}

/// One task reads beside one that writes.  A reader never waits until the peer takes something.
///
/// Belongs to the loop it was made in.  It may be moved while tasks use it.  Destroyed while they
/// do, they get ClosedError.  The destructor does not suspend, so it tells the peer nothing, who
/// gets TlsTruncatedError: call close() when all has been said.
///
/// Cost: as TcpStream, of what is sent: a short message is one system call, and so are 64 KiB of a
/// long one.  After 1 to 2 s of quiet its buffers go, until it is used again.
class ASYNCIO_TLS_API TlsStream final : public Stream {
 public:
  /// Makes sure that the peer is `host`, a name or an address, by what it can prove.  Takes `tcp`,
  /// which is closed if that fails.
  /// Suspends: always.
  /// Cancels: Cancelled; the connection is closed.
  /// Throws: TlsError; TimeoutException after the context's handshake_timeout; IoError; ClosedError
  /// if `tcp` is closed; std::invalid_argument if `host` can be no name, or for a server's context;
  /// NotInTaskError.
  static TlsStream connect(TcpStream tcp, std::string_view host,
                           const TlsContext& context = TlsContext::system());
  /// As connect(), for the other end.  What the context's `choose` throws comes out.
  static TlsStream accept(TcpStream tcp, const TlsContext& context);

  TlsStream(TlsStream&&) noexcept = default;
  TlsStream& operator=(TlsStream&& other) noexcept;
  ~TlsStream() override;

  using Stream::write_all;
  /// Throws also: TlsTruncatedError if the connection has ended and the peer did not say so;
  /// TlsError.
  std::size_t read_some(std::span<std::byte> into) override;
  void wait_readable() override;
  /// What is accepted has been encrypted, and goes out before what is written later; after a cancel
  /// it may have to wait for that, or for close().
  /// Throws also: TlsError.
  void write_all(std::span<const ConstBytes> buffers, std::size_t* accepted = nullptr) override;
  /// Reading goes on.  One that was cancelled may be called again.
  void shutdown_write() override;
  /// Sends what is left and says that nothing more comes, then reads and drops what the peer sends
  /// until its end.  That takes 1 s at most, then it is closed as it is.  So the peer gets all that
  /// was written, unless it does not read.
  /// Suspends: unless it is closed.  Outside a task it does not, and the peer is told nothing.
  /// Cancels: never.
  void close() override;
  bool is_closed() const noexcept override;

  /// The application protocol that both have agreed on; empty: none.
  std::string_view alpn() const;
  /// Did the two remember each other, so that the handshake was a short one?
  bool resumed() const;
  /// PEM; empty if the peer has shown none.
  std::string peer_certificate() const;
  /// The host that the client wants, as it has said; empty if it has not.
  std::string_view server_name() const;
  TlsVersion version() const;

  /// As those of TcpStream.
  void set_idle_timeout(std::optional<Duration> limit);
  Endpoint local() const;
  Endpoint peer() const;
  int fd() const noexcept;

  /// OpenSSL's object, an SSL*, for what has no function here.  It stays the stream's; do not read,
  /// write or shut down by it.
  /// Throws: ClosedError.
  ssl_st* native() const;

 private:
  explicit TlsStream(std::shared_ptr<detail::TlsConnection> connection) noexcept
      : connection_(std::move(connection)) {}
  /// Throws: ClosedError.
  std::shared_ptr<detail::TlsConnection> open(const char* call) const;
  void drop() noexcept;

  std::shared_ptr<detail::TlsConnection> connection_;  ///< null once moved from
};

}  // namespace asyncio

// What a TlsStream is made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/loop.h>
#include <asyncio/io/bytes.h>
#include <asyncio/io/tcp_stream.h>
#include <asyncio/tls/internal/host_name.h>
#include <asyncio/tls/internal/openssl.h>
#include <asyncio/tls/internal/transport.h>
#include <asyncio/tls/tls_context.h>

namespace asyncio::detail {

class TlsIdleSweep;

/// Every call that waits holds a reference, so the stream may go meanwhile.  `call`, wherever it is
/// a parameter, is the name of the user's operation.
class TlsConnection : public std::enable_shared_from_this<TlsConnection> {
 public:
  TlsConnection(TcpStream tcp, const TlsContext& context, const char* call);
  ~TlsConnection();
  TlsConnection(const TlsConnection&) = delete;
  TlsConnection& operator=(const TlsConnection&) = delete;

  /// Before the handshake of a client: whom it has to be.
  void expect(const TlsHost& host, const char* call);
  /// Throws: TlsError; IoError; Cancelled.
  void handshake(const char* call);

  /// As TlsStream says.
  std::size_t read(lowlevel::CurrentTask self, std::span<std::byte> into, const char* call);
  void wait_readable(lowlevel::CurrentTask self, const char* call);
  void write(lowlevel::CurrentTask self, std::span<const ConstBytes> buffers, std::size_t& accepted,
             const char* call);
  void shutdown_write(const char* call);
  void close(const char* call);
  /// Closes at once, and tells the peer nothing.
  void drop() noexcept;

  bool is_closed() const noexcept { return is_closing_ || transport_.tcp().is_closed(); }
  TcpStream& tcp() noexcept { return transport_.tcp(); }
  SSL* ssl() const noexcept { return ssl_.get(); }

  /// For TlsIdleSweep: has it been used since the last call?  If not, it gives its buffers back and
  /// is watched no more.
  bool is_still_used() noexcept;
  void unwatch() noexcept { sweep_ = nullptr; }

  /// OpenSSL's callbacks.
  static int on_new_session(SSL* ssl, SSL_SESSION* session) noexcept;
  static int on_server_name(SSL* ssl, int* alert, void* unused) noexcept;

 private:
  enum class Step : std::uint8_t { done, needs_input, ended, failed };
  /// Why it is of no more use.
  struct Broken {
    std::string why;
    std::error_code code;
  };

  /// Makes one call of OpenSSL's.
  template <class F>
  Step attempt(F&& step);
  /// Until OpenSSL is in the middle of no handshake, nor of a message that may come after one.
  void finish_handshake(const char* call);
  void encrypt(ConstBytes piece, const char* call);
  /// Queues the announcement of the end.
  void announce_end(const char* call);
  void choose(std::string_view host);

  void note_use();
  void check_open(const char* call) const;
  /// Throws if no more input can come.
  void check_input(const char* call) const;
  /// What the last call of OpenSSL's has left.
  Broken take_error() const;
  [[noreturn]] void fail(const char* call);
  std::string named(const char* call) const;

  lowlevel::LoopRef loop_;
  TlsContext context_;
  std::optional<TlsContext> chosen_;  ///< instead of it
  TlsTransport transport_;
  SslPtr ssl_;  // after what it refers to
  std::string host_;
  std::string session_key_;
  std::vector<std::byte> together_;  ///< small buffers of one write
  std::optional<Broken> broken_;
  std::exception_ptr thrown_;      ///< in a callback
  TlsIdleSweep* sweep_ = nullptr;  ///< that watches it
  const char* reader_ = nullptr;   ///< the call that reads
  const char* writer_ = nullptr;
  bool is_established_ = false;
  bool is_used_ = false;
  bool is_closing_ = false;
};

}  // namespace asyncio::detail

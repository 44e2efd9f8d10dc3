// Who a program is and whom it trusts: what its TLS connections have in common.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <asyncio/core/time.h>
#include <asyncio/tls/export.h>

namespace asyncio {

namespace detail {
struct TlsContextData;
}

enum class TlsVersion : std::uint8_t { v1_2, v1_3 };

/// A certificate and its key.
struct ASYNCIO_TLS_API TlsIdentity {
  /// PEM: the certificate, then those that lead from it towards a root.
  std::string certificates;
  /// PEM, not encrypted.
  std::string key;

  /// Reads both from files.
  /// Suspends: never; the thread waits for the disk, so do it when the program starts.
  /// Throws: IoError.
  static TlsIdentity from_files(const std::string& certificates, const std::string& key);
};

struct TlsClientOptions {
  /// Application protocols to offer, the best one first, such as "h2".
  std::vector<std::string> alpn = {};
  /// PEM: whom to trust.  Empty: whom the system trusts.
  std::string roots = {};
  /// For servers that ask who the client is.
  std::optional<TlsIdentity> identity = {};
  /// Without it anybody may pretend to be the server.
  bool verify = true;
  /// The end of the connection is the end of the stream, also if the peer did not announce it.  For
  /// protocols that tell by themselves when something is missing.
  bool allow_truncation = false;
  /// For the whole handshake.
  Duration handshake_timeout = std::chrono::seconds{10};
  /// How many sessions are kept, by which the next connection to a server is made quicker; 0: none.
  std::size_t cached_sessions = 256;
  TlsVersion oldest = TlsVersion::v1_2;
  TlsVersion newest = TlsVersion::v1_3;
};

struct TlsServerOptions;

/// What the connections of a client, or of a server, have in common.  Immutable; a copy is another
/// reference to the same.  One for the whole program is best: it holds the client's sessions, and
/// the keys of a server's.
/// Threads: any.
class ASYNCIO_TLS_API TlsContext {
 public:
  /// Suspends: never; the system's roots are read, on a thread, when first needed.
  /// Throws: TlsError if a certificate or key cannot be used; std::invalid_argument.
  static TlsContext client(const TlsClientOptions& options = {});
  /// Throws: as client().
  static TlsContext server(const TlsServerOptions& options);
  /// The one of clients with the default options.
  static const TlsContext& system();

  bool is_client() const noexcept;

  /// For the library.
  const std::shared_ptr<const detail::TlsContextData>& data() const noexcept { return data_; }

 private:
  explicit TlsContext(std::shared_ptr<const detail::TlsContextData> data) noexcept
      : data_(std::move(data)) {}

  std::shared_ptr<const detail::TlsContextData> data_;
};

/// Does a server ask its clients who they are?
enum class TlsClientCertificate : std::uint8_t {
  none,      ///< no
  wanted,    ///< a client may have no certificate, but not a bad one
  required,  ///< only clients with a good one are served
};

struct TlsServerOptions {
  TlsIdentity identity = {};
  /// Application protocols, the best one first.  A client that offers some, but none of these, is
  /// refused.
  std::vector<std::string> alpn = {};
  TlsClientCertificate client_certificate = TlsClientCertificate::none;
  /// PEM: who may vouch for clients.
  std::string roots = {};
  /// Asked for each connection whose client names the host it wants.  Returns the server's context
  /// to go on with, which brings its own identity, protocols and client certificates, or nothing
  /// for this one.
  /// It may not suspend, and is called in the thread of each loop that accepts.  What it throws
  /// comes out of TlsStream::accept().
  std::function<std::optional<TlsContext>(std::string_view host)> choose = {};
  /// As for clients.
  bool allow_truncation = false;
  Duration handshake_timeout = std::chrono::seconds{10};
  TlsVersion oldest = TlsVersion::v1_2;
  TlsVersion newest = TlsVersion::v1_3;
};

}  // namespace asyncio

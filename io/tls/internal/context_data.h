// What a TlsContext refers to.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <asyncio/core/time.h>
#include <asyncio/tls/internal/openssl.h>
#include <asyncio/tls/internal/session_cache.h>
#include <asyncio/tls/tls_context.h>

namespace asyncio::detail {

/// Does not change once it is made.
struct TlsContextData {
  explicit TlsContextData(std::size_t cached_sessions) : sessions(cached_sessions) {}

  SslContextPtr ssl;
  BioMethodPtr bio_method;  ///< of TlsTransport
  std::string alpn;         ///< as it is sent
  std::function<std::optional<TlsContext>(std::string_view)> choose;
  Duration handshake_timeout{};
  bool is_client = false;
  bool allow_truncation = false;
  bool needs_system_roots = false;
  mutable TlsSessionCache sessions;
};

/// The protocols as OpenSSL takes them.
/// Throws: std::invalid_argument unless each has 1 to 255 bytes.
std::string alpn_as_sent(const std::vector<std::string>& protocols, const char* call);

/// Gives `context` a certificate and its key.
/// Throws: TlsError.
void use_identity(SSL_CTX& context, const TlsIdentity& identity, const char* call);

/// The certificates that `pem` has.
/// Throws: TlsError if there are none.
std::vector<X509Ptr> read_certificates(const std::string& pem, const char* call);

}  // namespace asyncio::detail

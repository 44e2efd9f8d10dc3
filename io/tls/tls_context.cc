#include <asyncio/tls/tls_context.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>

#include <openssl/err.h>

#include <asyncio/io/errors.h>
#include <asyncio/tls/internal/connection.h>
#include <asyncio/tls/internal/context_data.h>
#include <asyncio/tls/internal/system_roots.h>
#include <asyncio/tls/internal/transport.h>

namespace asyncio {
namespace {

using detail::TlsContextData;

std::string read_text(const std::string& path) {
  errno = 0;
  std::ifstream file{path, std::ios::binary};
  std::string text{std::istreambuf_iterator<char>{file}, {}};
  if (file) return text;
  const int error = errno != 0 ? errno : EIO;
  throw IoError("TlsIdentity::from_files(" + path + ")", {error, std::system_category()});
}

int number_of(TlsVersion version) noexcept {
  return version == TlsVersion::v1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

/// What clients and servers have in common.
template <class Options>
std::shared_ptr<TlsContextData> make_context(const Options& options, std::size_t cached_sessions,
                                             const SSL_METHOD* method, const char* call) {
  if (options.handshake_timeout <= Duration::zero()) {
    throw std::invalid_argument(std::string{call} + ": a handshake_timeout is positive");
  }
  if (options.oldest > options.newest) {
    throw std::invalid_argument(std::string{call} + ": the oldest version is not after the newest");
  }
  ERR_clear_error();
  auto data = std::make_shared<TlsContextData>(cached_sessions);
  data->ssl.reset(SSL_CTX_new(method));
  if (data->ssl == nullptr) detail::throw_openssl_error(call);
  data->bio_method = detail::TlsTransport::make_bio_method();
  data->alpn = detail::alpn_as_sent(options.alpn, call);
  data->handshake_timeout = options.handshake_timeout;
  data->allow_truncation = options.allow_truncation;
  SSL_CTX* const ssl = data->ssl.get();
  if (SSL_CTX_set_min_proto_version(ssl, number_of(options.oldest)) != 1 ||
      SSL_CTX_set_max_proto_version(ssl, number_of(options.newest)) != 1) {
    detail::throw_openssl_error(call);
  }
  SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(ssl, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // As much as the kernel has, in one call; else each record would be two.
  SSL_CTX_set_read_ahead(ssl, 1);
  SSL_CTX_set_default_read_buffer_len(ssl, detail::TlsTransport::read_ahead);
  return data;
}

detail::X509StorePtr make_roots(const std::string& pem, const char* call) {
  detail::X509StorePtr store{X509_STORE_new()};
  if (store == nullptr) detail::throw_openssl_error(call);
  for (const detail::X509Ptr& root : detail::read_certificates(pem, call)) {
    if (X509_STORE_add_cert(store.get(), root.get()) != 1) detail::throw_openssl_error(call);
  }
  return store;
}

/// Chooses among what the client offers.
int choose_protocol(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* size,
                    const unsigned char* offered, unsigned int offered_size, void* data) noexcept {
  const std::string& ours = static_cast<const TlsContextData*>(data)->alpn;
  unsigned char* found = nullptr;
  const int outcome =
      SSL_select_next_proto(&found, size, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned int>(ours.size()), offered, offered_size);
  if (outcome != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

int verify_mode(TlsClientCertificate wanted) noexcept {
  switch (wanted) {
    case TlsClientCertificate::none:
      return SSL_VERIFY_NONE;
    case TlsClientCertificate::wanted:
      return SSL_VERIFY_PEER;
    case TlsClientCertificate::required:
      return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  }
  return SSL_VERIFY_NONE;
}

}  // namespace

TlsIdentity TlsIdentity::from_files(const std::string& certificates, const std::string& key) {
  return {read_text(certificates), read_text(key)};
}

TlsContext TlsContext::client(const TlsClientOptions& options) {
  constexpr const char* call = "TlsContext::client";
  const auto data = make_context(options, options.cached_sessions, TLS_client_method(), call);
  SSL_CTX* const ssl = data->ssl.get();
  data->is_client = true;
  data->needs_system_roots = options.verify && options.roots.empty();
  SSL_CTX_set_verify(ssl, options.verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  if (data->needs_system_roots) {
    SSL_CTX_set1_cert_store(ssl, &detail::system_roots());
  } else if (!options.roots.empty()) {
    SSL_CTX_set1_cert_store(ssl, make_roots(options.roots, call).get());
  }
  if (options.identity) detail::use_identity(*ssl, *options.identity, call);
  if (!data->alpn.empty() &&
      SSL_CTX_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(data->alpn.data()),
                              static_cast<unsigned int>(data->alpn.size())) != 0) {
    detail::throw_openssl_error(call);
  }
  if (options.cached_sessions > 0) {
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ssl, &detail::TlsConnection::on_new_session);
  } else {
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
  }
  return TlsContext{data};
}

TlsContext TlsContext::server(const TlsServerOptions& options) {
  constexpr const char* call = "TlsContext::server";
  const auto data = make_context(options, 0, TLS_server_method(), call);
  SSL_CTX* const ssl = data->ssl.get();
  detail::use_identity(*ssl, options.identity, call);
  if (!data->alpn.empty()) SSL_CTX_set_alpn_select_cb(ssl, &choose_protocol, data.get());
  const bool asks = options.client_certificate != TlsClientCertificate::none;
  if (asks == options.roots.empty()) {
    throw std::invalid_argument(
        std::string{call} +
        ": client_certificate and roots belong together: who vouches for clients?");
  }
  if (asks) {
    SSL_CTX_set1_cert_store(ssl, make_roots(options.roots, call).get());
    for (const detail::X509Ptr& root : detail::read_certificates(options.roots, call)) {
      SSL_CTX_add_client_CA(ssl, root.get());
    }
  }
  SSL_CTX_set_verify(ssl, verify_mode(options.client_certificate), nullptr);
  // The clients keep the sessions, encrypted with a key of this context.
  SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
  constexpr unsigned char name[] = "asyncio";
  SSL_CTX_set_session_id_context(ssl, name, sizeof name);
  data->choose = options.choose;
  if (data->choose) {
    SSL_CTX_set_tlsext_servername_callback(ssl, &detail::TlsConnection::on_server_name);
  }
  return TlsContext{data};
}

const TlsContext& TlsContext::system() {
  // Programs may have connections at their very end.
  static const TlsContext* const context = new TlsContext{client()};
  return *context;
}

bool TlsContext::is_client() const noexcept { return data_->is_client; }

}  // namespace asyncio

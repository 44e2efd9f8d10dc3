#include <asyncio/tls/tls_stream.h>

#include <stdexcept>

#include <openssl/pem.h>

#include <asyncio/concurrency/cancellation_scope.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/tls/internal/connection.h>
#include <asyncio/tls/internal/context_data.h>
#include <asyncio/tls/internal/host_name.h>
#include <asyncio/tls/internal/system_roots.h>

namespace asyncio {
namespace {

using detail::TlsConnection;

std::shared_ptr<TlsConnection> make_connection(TcpStream tcp, const TlsContext& context,
                                               bool is_client, const char* call) {
  lowlevel::enter(call);
  if (context.is_client() != is_client) {
    throw std::invalid_argument(
        std::string{call} + ": its context is made by " +
        (is_client ? "TlsContext::client() or system()" : "TlsContext::server()"));
  }
  if (tcp.is_closed()) throw ClosedError(std::string{call} + ": the connection is closed");
  return std::make_shared<TlsConnection>(std::move(tcp), context, call);
}

/// Runs `handshake` for as long as the context allows.
template <class F>
void in_time(const TlsContext& context, const char* call, F&& handshake) {
  const Duration limit = context.data()->handshake_timeout;
  if (CancellationScope::try_run(handshake, {.timeout = limit, .name = call})) return;
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(limit);
  throw TimeoutException(std::string{call} + ": no handshake within " + std::to_string(ms.count()) +
                         " ms, the handshake_timeout");
}

}  // namespace

TlsStream TlsStream::connect(TcpStream tcp, std::string_view host, const TlsContext& context) {
  constexpr const char* call = "TlsStream::connect";
  const detail::TlsHost wanted = detail::parse_tls_host(host, call);
  TlsStream stream{make_connection(std::move(tcp), context, true, call)};
  in_time(context, call, [&] {
    if (context.data()->needs_system_roots) detail::load_system_roots(call);
    stream.connection_->expect(wanted, call);
    stream.connection_->handshake(call);
  });
  return stream;
}

TlsStream TlsStream::accept(TcpStream tcp, const TlsContext& context) {
  constexpr const char* call = "TlsStream::accept";
  TlsStream stream{make_connection(std::move(tcp), context, false, call)};
  in_time(context, call, [&] { stream.connection_->handshake(call); });
  return stream;
}

TlsStream& TlsStream::operator=(TlsStream&& other) noexcept {
  if (this == &other) return *this;
  drop();
  connection_ = std::move(other.connection_);
  return *this;
}

TlsStream::~TlsStream() { drop(); }

void TlsStream::drop() noexcept {
  if (connection_ != nullptr) connection_->drop();
}

std::shared_ptr<TlsConnection> TlsStream::open(const char* call) const {
  if (!is_closed()) return connection_;
  throw ClosedError(std::string{call} + ": it is closed already");
}

// ---- Bytes --------------------------------------------------------------------------------------

std::size_t TlsStream::read_some(std::span<std::byte> into) {
  constexpr const char* call = "TlsStream::read_some";
  const lowlevel::CurrentTask self = lowlevel::enter(call);
  const auto connection = open(call);
  return connection->read(self, into, call);
}

void TlsStream::wait_readable() {
  constexpr const char* call = "TlsStream::wait_readable";
  const lowlevel::CurrentTask self = lowlevel::enter(call);
  const auto connection = open(call);
  connection->wait_readable(self, call);
}

void TlsStream::write_all(std::span<const ConstBytes> buffers, std::size_t* accepted) {
  constexpr const char* call = "TlsStream::write_all";
  std::size_t unasked = 0;
  std::size_t& done = accepted == nullptr ? unasked : *accepted;
  done = 0;
  const lowlevel::CurrentTask self = lowlevel::enter(call);
  const auto connection = open(call);
  connection->write(self, buffers, done, call);
}

void TlsStream::shutdown_write() {
  constexpr const char* call = "TlsStream::shutdown_write";
  lowlevel::enter(call);
  const auto connection = open(call);
  connection->shutdown_write(call);
}

void TlsStream::close() {
  const auto connection = connection_;
  if (connection != nullptr) connection->close("TlsStream::close");
}

bool TlsStream::is_closed() const noexcept {
  return connection_ == nullptr || connection_->is_closed();
}

// ---- What it is ---------------------------------------------------------------------------------

ssl_st* TlsStream::native() const { return open("TlsStream::native")->ssl(); }

std::string_view TlsStream::alpn() const {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(open("TlsStream::alpn")->ssl(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

bool TlsStream::resumed() const {
  return SSL_session_reused(open("TlsStream::resumed")->ssl()) == 1;
}

std::string TlsStream::peer_certificate() const {
  const auto connection = open("TlsStream::peer_certificate");
  X509* const certificate = SSL_get0_peer_certificate(connection->ssl());
  if (certificate == nullptr) return {};
  const detail::BioPtr text{BIO_new(BIO_s_mem())};
  if (text == nullptr || PEM_write_bio_X509(text.get(), certificate) != 1) throw std::bad_alloc{};
  char* begin = nullptr;
  const long size = BIO_get_mem_data(text.get(), &begin);
  return {begin, static_cast<std::size_t>(size)};
}

std::string_view TlsStream::server_name() const {
  const char* name =
      SSL_get_servername(open("TlsStream::server_name")->ssl(), TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? std::string_view{} : name;
}

TlsVersion TlsStream::version() const {
  return SSL_version(open("TlsStream::version")->ssl()) == TLS1_2_VERSION ? TlsVersion::v1_2
                                                                          : TlsVersion::v1_3;
}

void TlsStream::set_idle_timeout(std::optional<Duration> limit) {
  open("TlsStream::set_idle_timeout")->tcp().set_idle_timeout(limit);
}

Endpoint TlsStream::local() const { return open("TlsStream::local")->tcp().local(); }
Endpoint TlsStream::peer() const { return open("TlsStream::peer")->tcp().peer(); }

int TlsStream::fd() const noexcept { return is_closed() ? -1 : connection_->tcp().fd(); }

}  // namespace asyncio

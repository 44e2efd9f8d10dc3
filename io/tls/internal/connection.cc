#include <asyncio/tls/internal/connection.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <asyncio/concurrency/cancellation_scope.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/no_suspend.h>
#include <asyncio/tls/errors.h>
#include <asyncio/tls/internal/context_data.h>
#include <asyncio/tls/internal/idle_sweep.h>
#include <asyncio/tls/internal/plain_pieces.h>

namespace asyncio::detail {
namespace {

using namespace std::chrono_literals;

constexpr Duration close_limit = 1s;
// A record of 16 KiB with what encryption adds, at most.  One more fits behind three.
constexpr std::size_t largest_record = TlsPlainPieces::most + 325;
constexpr std::size_t most_before_another = 3 * largest_record;

/// While one is alive, no other task does the same.
class Side {
 public:
  /// Throws: BusyError.
  Side(const char*& place, const char* call) : place_(place) {
    if (place != nullptr) {
      throw BusyError(std::string{call} + ": another task is in " + place +
                      "; one task at a time may read, and one may write");
    }
    place = call;
  }
  ~Side() { place_ = nullptr; }
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

 private:
  const char*& place_;
};

TlsConnection& connection_of(SSL* ssl) noexcept {
  return *static_cast<TlsConnection*>(SSL_get_app_data(ssl));
}

}  // namespace

TlsConnection::TlsConnection(TcpStream tcp, const TlsContext& context, const char* call)
    : loop_(call),
      context_(context),
      transport_(std::move(tcp)),
      ssl_(SSL_new(context.data()->ssl.get())) {
  if (ssl_ == nullptr) throw_openssl_error(call);
  BIO* const bio = transport_.make_bio(*context.data()->bio_method).release();
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
  if (context.is_client()) {
    SSL_set_connect_state(ssl_.get());
  } else {
    SSL_set_accept_state(ssl_.get());
  }
}

TlsConnection::~TlsConnection() {
  if (sweep_ != nullptr && loop_.is_reachable()) sweep_->gone();
  // Else OpenSSL would take the session for a bad one, since the two have not said goodbye.
  if (!broken_) SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

// ---- The handshake ------------------------------------------------------------------------------

void TlsConnection::expect(const TlsHost& host, const char* call) {
  ERR_clear_error();
  host_ = host.name;
  if (!host.address && SSL_set_tlsext_host_name(ssl_.get(), host.name.c_str()) != 1) {
    throw_openssl_error(named(call));
  }
  X509_VERIFY_PARAM* const wanted = SSL_get0_param(ssl_.get());
  X509_VERIFY_PARAM_set_hostflags(
      wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  int set = 0;
  if (!host.address) {
    set = X509_VERIFY_PARAM_set1_host(wanted, host.name.data(), host.name.size());
  } else if (host.address->is_v4()) {
    const IpAddress::V4 bytes = host.address->v4();
    set = X509_VERIFY_PARAM_set1_ip(wanted, bytes.data(), bytes.size());
  } else {
    const IpAddress::V6 bytes = host.address->v6();
    set = X509_VERIFY_PARAM_set1_ip(wanted, bytes.data(), bytes.size());
  }
  if (set != 1) throw_openssl_error(named(call));
  // Another port may be another server, which would not know the session.
  session_key_ = host.name + " " + std::to_string(tcp().peer().port());
  if (const SslSessionPtr session = context_.data()->sessions.take(session_key_)) {
    SSL_set_session(ssl_.get(), session.get());
  }
}

void TlsConnection::handshake(const char* call) {
  finish_handshake(call);
  is_established_ = true;
  // A server of TLS 1.3 is done before it has sent its tickets.  They go with what it says first:
  // a client that never reads would be reset by them, and what it has sent be lost.
  const bool only_tickets = !context_.is_client() && SSL_version(ssl_.get()) >= TLS1_3_VERSION;
  if (!only_tickets) transport_.flush();
}

void TlsConnection::finish_handshake(const char* call) {
  for (;;) {
    check_open(call);
    switch (attempt([](SSL* ssl) { return SSL_do_handshake(ssl); })) {
      case Step::done:
        return;
      case Step::needs_input:
        transport_.flush();
        check_input(call);
        transport_.wait_for_input(call);
        break;
      case Step::ended:
      case Step::failed:
        fail(call);
    }
  }
}

int TlsConnection::on_new_session(SSL* ssl, SSL_SESSION* session) noexcept {
  const TlsConnection& here = connection_of(ssl);
  if (SSL_SESSION_is_resumable(session) == 0) return 0;
  try {
    SslSessionPtr taken{session};
    here.context_.data()->sessions.put(here.session_key_, std::move(taken));
  } catch (...) {
    // It went with `taken`.  The next handshake is a full one.
  }
  return 1;
}

int TlsConnection::on_server_name(SSL* ssl, int* alert, void* /*unused*/) noexcept {
  TlsConnection& here = connection_of(ssl);
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  try {
    here.choose(name);
    return SSL_TLSEXT_ERR_OK;
  } catch (...) {
    here.thrown_ = std::current_exception();
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
}

void TlsConnection::choose(std::string_view host) {
  const NoSuspend no_suspend;
  chosen_ = context_.data()->choose(host);
  if (!chosen_) return;
  if (chosen_->is_client()) {
    throw InvalidStateError("TlsServerOptions::choose: give it a context made by server()");
  }
  SSL_CTX* const chosen = chosen_->data()->ssl.get();
  SSL_set_SSL_CTX(ssl_.get(), chosen);
  // It brings the certificate along, but not whether the client must have one.
  SSL_set_verify(ssl_.get(), SSL_CTX_get_verify_mode(chosen), nullptr);
}

// ---- Reading ------------------------------------------------------------------------------------

template <class F>
TlsConnection::Step TlsConnection::attempt(F&& step) {
  note_use();
  // What other code has left in the thread's list would be taken for an error of this call.
  ERR_clear_error();
  transport_.begin_call();
  const int result = step(ssl_.get());
  if (result > 0) return Step::done;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Step::needs_input;
    case SSL_ERROR_ZERO_RETURN:
      return Step::ended;
    default:
      return Step::failed;
  }
}

std::size_t TlsConnection::read(lowlevel::CurrentTask self, std::span<std::byte> into,
                                const char* call) {
  const Side side{reader_, call};
  std::size_t got = 0;
  for (bool waited = false; !into.empty(); waited = true) {
    check_open(call);
    const std::size_t queued = transport_.outgoing().size();
    const Step step =
        attempt([&](SSL* ssl) { return SSL_read_ex(ssl, into.data(), into.size(), &got); });
    if (step == Step::failed) fail(call);
    // An answer to the peer's.  If there is no room, a write will bring it along.
    if (transport_.outgoing().size() > queued) transport_.flush_now();
    if (step == Step::needs_input) {
      if (transport_.has_ended() && context_.data()->allow_truncation) return 0;
      check_input(call);
      transport_.wait_for_input(call);
      continue;
    }
    if (step == Step::ended) got = 0;
    if (waited) return got;
    break;
  }
  self.spend();
  return got;
}

void TlsConnection::wait_readable(lowlevel::CurrentTask self, const char* call) {
  const Side side{reader_, call};
  for (bool waited = false;; waited = true) {
    check_open(call);
    const Step step = attempt([](SSL* ssl) {
      std::byte next;
      std::size_t size = 0;
      return SSL_peek_ex(ssl, &next, sizeof next, &size);
    });
    // Whatever there is, a read will tell.
    const bool is_over = transport_.has_ended() || transport_.receive_error() != 0;
    if (step == Step::needs_input && !is_over) {
      transport_.wait_for_input(call);
      continue;
    }
    if (!waited) self.spend();
    return;
  }
}

// ---- Writing ------------------------------------------------------------------------------------

void TlsConnection::write(lowlevel::CurrentTask self, std::span<const ConstBytes> buffers,
                          std::size_t& accepted, const char* call) {
  const Side side{writer_, call};
  TlsPlainPieces rest{buffers};
  if (rest.empty()) return self.spend();
  if ((SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0) {
    throw IoError(named(call) + ": after shutdown_write()", {EPIPE, std::system_category()});
  }
  while (!rest.empty()) {
    while (!rest.empty() && transport_.outgoing().size() <= most_before_another) {
      check_open(call);
      const ConstBytes piece = rest.next(together_);
      encrypt(piece, call);
      accepted += piece.size();
      rest.advance(piece.size());
    }
    transport_.flush();
  }
}

void TlsConnection::encrypt(ConstBytes piece, const char* call) {
  // A message of the peer's may have come in part: OpenSSL does nothing else until it has the rest.
  if (SSL_in_init(ssl_.get()) != 0) finish_handshake(call);
  std::size_t written = 0;
  const Step step =
      attempt([&](SSL* ssl) { return SSL_write_ex(ssl, piece.data(), piece.size(), &written); });
  if (step != Step::done) fail(call);
}

void TlsConnection::shutdown_write(const char* call) {
  const Side side{writer_, call};
  check_open(call);
  announce_end(call);
  transport_.flush();
  tcp().shutdown_write();
}

void TlsConnection::announce_end(const char* call) {
  if ((SSL_get_shutdown(ssl_.get()) & SSL_SENT_SHUTDOWN) != 0) return;
  if (SSL_in_init(ssl_.get()) != 0) finish_handshake(call);
  note_use();
  ERR_clear_error();
  if (SSL_shutdown(ssl_.get()) < 0) fail(call);
}

// ---- Ends ---------------------------------------------------------------------------------------

void TlsConnection::close(const char* call) {
  if (is_closed()) return;
  struct Closer {
    ~Closer() { connection.drop(); }
    TlsConnection& connection;
  };
  const Closer closer{*this};
  if (!lowlevel::in_task()) return;
  lowlevel::enter_shielded(call);
  try {
    const bool somebody_waits = reader_ != nullptr || writer_ != nullptr;
    CancellationScope::try_run(
        [&] {
          if (somebody_waits) transport_.shake_off();
          if (broken_) return transport_.flush_now();
          announce_end(call);
          is_closing_ = true;
          transport_.flush();
          tcp().finish(close_limit);
        },
        {.timeout = close_limit, .shield = true, .name = call});
  } catch (const Error&) {
    // The peer is gone, or the stream.
  }
}

void TlsConnection::drop() noexcept {
  is_closing_ = true;
  tcp().close();
}

// ---- Quiet --------------------------------------------------------------------------------------

void TlsConnection::note_use() {
  is_used_ = true;
  if (sweep_ != nullptr) return;
  TlsIdleSweep& sweep = TlsIdleSweep::here();
  sweep.watch(weak_from_this());
  sweep_ = &sweep;
}

bool TlsConnection::is_still_used() noexcept {
  if (std::exchange(is_used_, false)) return true;
  sweep_ = nullptr;
  const bool writes = writer_ != nullptr || !transport_.outgoing().empty();
  if (!writes) {
    transport_.outgoing().give_memory_back();
    together_ = {};
  }
  // OpenSSL before 3.0.14 would free a record of which only the head has come.
  const bool between_records = std::string_view{SSL_rstate_string(ssl_.get())} == "RH";
  if (between_records && SSL_has_pending(ssl_.get()) == 0) SSL_free_buffers(ssl_.get());
  return false;
}

// ---- What goes wrong ----------------------------------------------------------------------------

std::string TlsConnection::named(const char* call) const {
  std::string who = host_;
  if (who.empty()) {
    try {
      who = transport_.tcp().peer().to_string();
    } catch (const Error&) {
      return call;  // nobody is there any more
    }
  }
  return std::string{call} + "(" + who + ")";
}

void TlsConnection::check_open(const char* call) const {
  if (is_closed()) throw ClosedError(std::string{call} + ": closed, before or meanwhile");
  if (broken_) throw TlsError(named(call) + broken_->why, broken_->code);
}

void TlsConnection::check_input(const char* call) const {
  if (const int error = transport_.receive_error()) {
    throw IoError(named(call), {error, std::system_category()});
  }
  if (!transport_.has_ended()) return;
  constexpr unsigned long packed = ERR_PACK(ERR_LIB_SSL, 0, SSL_R_UNEXPECTED_EOF_WHILE_READING);
  const std::error_code code{static_cast<int>(packed), tls_category()};
  if (!is_established_) {
    throw TlsError(named(call) + ": the peer has closed the connection during the handshake", code);
  }
  throw TlsTruncatedError(named(call) + ": the peer has closed the connection and not announced it",
                          code);
}

TlsConnection::Broken TlsConnection::take_error() const {
  const unsigned long first = ERR_peek_error();
  Broken broken{{}, take_openssl_error()};
  if (first == 0) {
    broken.code = {ENOMEM, std::system_category()};  // of TlsOutgoing; OpenSSL says so itself
  } else if (ERR_GET_LIB(first) == ERR_LIB_SSL) {
    const int reason = ERR_GET_REASON(first);
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
      broken.why = std::string{": the peer's certificate is refused ("} +
                   X509_verify_cert_error_string(SSL_get_verify_result(ssl_.get())) + ")";
    } else if (reason > SSL_AD_REASON_OFFSET) {
      broken.why = ": the peer breaks off";
    }
  }
  return broken;
}

void TlsConnection::fail(const char* call) {
  broken_ = take_error();
  transport_.flush_now();  // tells the peer why
  if (thrown_ != nullptr) std::rethrow_exception(std::exchange(thrown_, nullptr));
  throw TlsError(named(call) + broken_->why, broken_->code);
}

}  // namespace asyncio::detail

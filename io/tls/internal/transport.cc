#include <asyncio/tls/internal/transport.h>

#include <cerrno>
#include <new>

#include <sys/socket.h>

#include <asyncio/io/fd.h>

namespace asyncio::detail {

// ---- OpenSSL's side -----------------------------------------------------------------------------

BioMethodPtr TlsTransport::make_bio_method() {
  BioMethodPtr method{BIO_meth_new(BIO_TYPE_SOURCE_SINK, "asyncio")};
  if (method == nullptr) throw std::bad_alloc{};
  BIO_meth_set_create(method.get(), &on_create);
  BIO_meth_set_read(method.get(), &on_read);
  BIO_meth_set_write(method.get(), &on_write);
  BIO_meth_set_ctrl(method.get(), &on_control);
  return method;
}

BioPtr TlsTransport::make_bio(const BIO_METHOD& method) {
  BioPtr bio{BIO_new(&method)};
  if (bio == nullptr) throw std::bad_alloc{};
  BIO_set_data(bio.get(), this);
  return bio;
}

int TlsTransport::on_create(BIO* bio) noexcept {
  BIO_set_init(bio, 1);
  return 1;
}

int TlsTransport::on_read(BIO* bio, char* into, int size) noexcept {
  BIO_clear_retry_flags(bio);
  auto& here = *static_cast<TlsTransport*>(BIO_get_data(bio));
  const int got =
      here.receive(std::as_writable_bytes(std::span{into, static_cast<std::size_t>(size)}));
  // The end and errors are told as "not yet": OpenSSL would end the writing side too.
  if (got < 0) BIO_set_retry_read(bio);
  return got;
}

int TlsTransport::on_write(BIO* bio, const char* from, int size) noexcept {
  BIO_clear_retry_flags(bio);
  auto& here = *static_cast<TlsTransport*>(BIO_get_data(bio));
  const bool taken =
      here.outgoing_.append(std::as_bytes(std::span{from, static_cast<std::size_t>(size)}));
  return taken ? size : -1;
}

long TlsTransport::on_control(BIO* /*bio*/, int what, long /*number*/, void* /*pointer*/) noexcept {
  return what == BIO_CTRL_FLUSH ? 1 : 0;
}

int TlsTransport::receive(std::span<std::byte> into) noexcept {
  while (may_receive_ && receives_left_ > 0) {
    --receives_left_;
    const ssize_t got = ::recv(tcp_.fd(), into.data(), into.size(), 0);
    if (got > 0) {
      may_receive_ = static_cast<std::size_t>(got) == into.size();
      return static_cast<int>(got);
    }
    if (got < 0 && errno == EINTR) continue;
    may_receive_ = false;
    if (got == 0) ended_ = true;
    if (got < 0 && errno != EAGAIN) receive_error_ = errno;
  }
  return -1;
}

// ---- The tasks' side ----------------------------------------------------------------------------

void TlsTransport::wait_for_input(const char* call) {
  static constexpr lowlevel::WaitQueue::Kind kind{"TLS input"};
  if (is_watched_) return others_.wait(lowlevel::enter(call), kind, call);
  struct Watch {
    explicit Watch(TlsTransport& of) : transport(of) { transport.is_watched_ = true; }
    ~Watch() {
      // Whatever the wait has come to, one of the others may have to watch from now on.
      transport.is_watched_ = false;
      transport.others_.wake_all();
    }
    TlsTransport& transport;
  };
  const Watch watch{*this};
  tcp_.wait_readable();
  may_receive_ = true;
}

void TlsTransport::flush() {
  struct Flushing {
    explicit Flushing(TlsTransport& of) : transport(of) { transport.is_flushing_ = true; }
    ~Flushing() {
      transport.outgoing_.settle();
      transport.is_flushing_ = false;
    }
    TlsTransport& transport;
  };
  const Flushing flushing{*this};
  for (ConstBytes next = outgoing_.next(); !next.empty(); next = outgoing_.next()) {
    tcp_.write_all(next, &outgoing_.sent());
  }
}

void TlsTransport::flush_now() noexcept {
  if (is_flushing_) return;
  for (ConstBytes next = outgoing_.next(); !next.empty(); next = outgoing_.next()) {
    const ssize_t sent = ::send(tcp_.fd(), next.data(), next.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return;
    outgoing_.sent() = static_cast<std::size_t>(sent);
  }
}

void TlsTransport::shake_off() {
  Fd fd{std::move(tcp_).release()};
  tcp_ = TcpStream::adopt(fd.get());
  std::move(fd).release();
}

}  // namespace asyncio::detail

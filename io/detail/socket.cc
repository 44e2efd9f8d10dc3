#include <asyncio/io/detail/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <utility>

#include <sys/socket.h>
#include <sys/uio.h>

#include <asyncio/core/errors.h>
#include <asyncio/io/internal/sockaddr.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio::detail {

using lowlevel::CurrentTask;
using lowlevel::Direction;
using lowlevel::Wake;

// ---- Who uses it --------------------------------------------------------------------------------

Socket::Use::Use(Socket& socket, Direction direction, const char* call)
    : socket_(&socket), call_(call), direction_(direction) {
  socket.check(call);
  Use*& place = socket.uses_[static_cast<std::size_t>(direction)];
  if (place != nullptr) [[unlikely]] {
    throw BusyError(std::string{call} + "(fd " + std::to_string(socket.fd()) +
                    "): another task is in " + place->call_ +
                    "; one task at a time may read, and one may write");
  }
  place = this;
}

Socket::Use::~Use() {
  if (socket_ != nullptr) socket_->uses_[static_cast<std::size_t>(direction_)] = nullptr;
}

void Socket::Use::throw_closed() const {
  throw ClosedError(std::string{call_} + ": closed while a task was in it");
}

Socket& Socket::Use::socket() const {
  if (socket_ == nullptr) [[unlikely]]
    throw_closed();
  return *socket_;
}

void Socket::Use::wait(CurrentTask self) {
  Socket& here = socket();
  const Duration limit = here.idle_timeout_;
  if (limit == Duration::max()) [[likely]] {
    here.descriptor_.wait(self, direction_, call_);
    return;
  }
  if (wait_until(self, deadline_after(here.loop().now(), limit))) return;
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit);
  throw TimeoutException(std::string{call_} + ": the peer was silent for " +
                         std::to_string(ms.count()) + " ms, the idle timeout");
}

bool Socket::Use::wait_until(CurrentTask self, TimePoint deadline) {
  return socket().descriptor_.wait_until(self, direction_, deadline, call_);
}

void Socket::Use::pause(CurrentTask self, Duration time) {
  static constexpr lowlevel::WaitReason reason{"timer"};
  const TimePoint end = deadline_after(socket().loop().now(), time);
  lowlevel::Waiter waiter{reason};
  pausing_ = &waiter;
  const Wake outcome = self.park_until(waiter, end);
  pausing_ = nullptr;
  if (self.checked(outcome) == Wake::broken) throw_closed();
}

// ---- One owner, who may move --------------------------------------------------------------------

Socket::Socket(Socket&& other) noexcept
    : descriptor_(std::move(other.descriptor_)),
      uses_(std::exchange(other.uses_, {})),
      idle_timeout_(other.idle_timeout_),
      has_more_(other.has_more_),
      accepted_at_once_(other.accepted_at_once_) {
  for (Use* use : uses_) {
    if (use != nullptr) use->socket_ = this;
  }
}

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this == &other) return *this;
  close();
  descriptor_ = std::move(other.descriptor_);
  uses_ = std::exchange(other.uses_, {});
  idle_timeout_ = other.idle_timeout_;
  has_more_ = other.has_more_;
  accepted_at_once_ = other.accepted_at_once_;
  for (Use* use : uses_) {
    if (use != nullptr) use->socket_ = this;
  }
  return *this;
}

void Socket::drop_uses() noexcept {
  for (Use*& use : uses_) {
    if (use == nullptr) continue;
    use->socket_ = nullptr;
    if (use->pausing_ != nullptr) lowlevel::wake(*use->pausing_, Wake::broken);
    use = nullptr;
  }
}

void Socket::close() noexcept {
  drop_uses();
  descriptor_.close();
}

int Socket::release() noexcept {
  drop_uses();
  return descriptor_.release();
}

void Socket::reset() noexcept {
  const linger at_once{1, 0};
  if (is_open()) ::setsockopt(fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

// ---- Reading ------------------------------------------------------------------------------------

void Socket::wait_readable(const char* call) {
  const CurrentTask self = lowlevel::enter(call);
  Use use{*this, Direction::read, call};
  use.wait(self);
  use.socket().has_more_ = true;
}

std::size_t Socket::read_some(std::span<std::byte> into, const char* call) {
  CurrentTask self = lowlevel::enter(call);
  Use use{*this, Direction::read, call};
  bool waited = false;
  if (!into.empty() && !has_more_) {
    use.wait(self);
    waited = true;
  }
  ssize_t got = 0;
  while (!into.empty()) {
    got = ::recv(use.fd(), into.data(), into.size(), 0);
    if (got >= 0) {
      // Once ended it stays readable for good.
      use.socket().has_more_ = got == 0 || static_cast<std::size_t>(got) == into.size();
      break;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) throw_io_error(call, use.fd());
    use.wait(self);
    waited = true;
  }
  if (!waited) self.spend();
  return static_cast<std::size_t>(got);
}

// ---- Writing ------------------------------------------------------------------------------------

namespace {

/// Where a write of several buffers has come to.
class Rest {
 public:
  explicit Rest(std::span<const ConstBytes> buffers) noexcept : buffers_(buffers) { skip_empty(); }

  bool empty() const noexcept { return buffers_.empty(); }

  /// The next pieces, as many as `pieces` has room for.  Returns how many.
  std::size_t next(std::span<iovec> pieces) const noexcept {
    std::size_t count = 0;
    std::size_t offset = offset_;
    for (const ConstBytes& buffer : buffers_) {
      if (count == pieces.size()) break;
      const ConstBytes piece = buffer.subspan(std::exchange(offset, 0));
      if (piece.empty()) continue;
      pieces[count++] = {const_cast<std::byte*>(piece.data()), piece.size()};
    }
    return count;
  }

  void advance(std::size_t bytes) noexcept {
    while (bytes > 0) {
      const std::size_t of_first = std::min(bytes, buffers_.front().size() - offset_);
      offset_ += of_first;
      bytes -= of_first;
      skip_empty();
    }
  }

 private:
  void skip_empty() noexcept {
    while (!buffers_.empty() && offset_ == buffers_.front().size()) {
      buffers_ = buffers_.subspan(1);
      offset_ = 0;
    }
  }

  std::span<const ConstBytes> buffers_;
  std::size_t offset_ = 0;  ///< in the first one
};

// A task's stack is small; the kernel would take 1,024 (IOV_MAX).
constexpr std::size_t pieces_at_once = 64;

/// Sends what it can, without SIGPIPE.  Returns how much, or -1.
ssize_t send_some(int fd, const Rest& rest, std::size_t& wanted) noexcept {
  std::array<iovec, pieces_at_once> pieces;
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = rest.next(pieces);
  if (message.msg_iovlen == 1) {
    wanted = pieces[0].iov_len;
    return ::send(fd, pieces[0].iov_base, wanted, MSG_NOSIGNAL);
  }
  wanted = 0;
  for (std::size_t i = 0; i < message.msg_iovlen; ++i) wanted += pieces[i].iov_len;
  return ::sendmsg(fd, &message, MSG_NOSIGNAL);
}

}  // namespace

void Socket::write_all(std::span<const ConstBytes> buffers, std::size_t* accepted,
                       const char* call) {
  std::size_t unasked = 0;
  std::size_t& done = accepted == nullptr ? unasked : *accepted;
  done = 0;
  CurrentTask self = lowlevel::enter(call);
  Use use{*this, Direction::write, call};
  Rest rest{buffers};
  bool waited = false;
  while (!rest.empty()) {
    std::size_t wanted = 0;
    const ssize_t sent = send_some(use.fd(), rest, wanted);
    if (sent >= 0) {
      done += static_cast<std::size_t>(sent);
      rest.advance(static_cast<std::size_t>(sent));
      // What was cut short was cut short by a full kernel: another try would be one for nothing.
      if (static_cast<std::size_t>(sent) == wanted) continue;
    } else if (errno == EINTR) {
      continue;
    } else if (errno != EAGAIN) {
      throw_io_error(call, use.fd());
    }
    use.wait(self);
    waited = true;
  }
  if (!waited) self.spend();
}

// ---- Ending -------------------------------------------------------------------------------------

void Socket::shutdown_write(const char* call) {
  CurrentTask self = lowlevel::enter(call);
  const Use use{*this, Direction::write, call};
  if (::shutdown(fd(), SHUT_WR) != 0) throw_io_error(call, fd());
  self.spend();
}

void Socket::finish(Duration limit, const char* call) {
  struct Closer {
    ~Closer() {
      if (use.socket_ != nullptr) use.socket_->close();
    }
    const Use& use;
  };
  lowlevel::CurrentTask self = lowlevel::enter_shielded(call);
  const Use writing{*this, Direction::write, call};
  Use reading{*this, Direction::read, call};
  const Closer closer{reading};
  lowlevel::enter(call);                       // a cancel closes it too
  if (::shutdown(fd(), SHUT_WR) != 0) return;  // the peer is gone: there is nothing to wait for
  const TimePoint deadline = deadline_after(loop().now(), limit);
  std::array<std::byte, 2048> dropped;
  while (reading.wait_until(self, deadline)) {
    const ssize_t got = ::recv(reading.fd(), dropped.data(), dropped.size(), 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return;
    if (reading.socket().loop().now() >= deadline) return;
  }
}

// ---- What it is ---------------------------------------------------------------------------------

Endpoint Socket::local(const char* call) const {
  check(call);
  SocketAddress address;
  if (::getsockname(fd(), address.get(), &address.size) != 0) throw_io_error(call, fd());
  return address.endpoint();
}

Endpoint Socket::peer(const char* call) const {
  check(call);
  SocketAddress address;
  if (::getpeername(fd(), address.get(), &address.size) != 0) throw_io_error(call, fd());
  return address.endpoint();
}

void Socket::set_option(int level, int name, int value, const char* call) {
  check(call);
  if (::setsockopt(fd(), level, name, &value, sizeof value) != 0) throw_io_error(call, fd());
}

}  // namespace asyncio::detail

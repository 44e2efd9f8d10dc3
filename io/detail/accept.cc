// Taking connections: what may fail, and when to try again.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <optional>
#include <string>

#include <sys/socket.h>
#include <unistd.h>

#include <asyncio/core/lowlevel/loop.h>
#include <asyncio/io/detail/socket.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio::detail {
namespace {

using namespace std::chrono_literals;
using lowlevel::CurrentTask;
using lowlevel::Direction;

// So many connections that were waiting already are taken before others get their turn.
constexpr std::uint8_t most_at_once = 64;

constexpr Duration first_pause = 10ms;
constexpr Duration longest_pause = 1s;
constexpr Duration between_warnings = 1s;

/// Does the error concern this one connection, which is gone?  accept(2) lists them.
bool concerns_one_connection(int error) noexcept {
  switch (error) {
    case ECONNABORTED:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETDOWN:
    case ENETUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EPERM:  // a firewall's word
    case EPROTO:
    case ETIMEDOUT:
      return true;
    default:
      return false;
  }
}

/// Are descriptors or memory short?  The connection waits meanwhile, so the listener stays ready.
bool is_shortage(int error) noexcept {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/// When a loop was last told that its listeners are short of something.
struct Warnings {
  TimePoint next = TimePoint::min();
};

void warn(const lowlevel::LoopRef& loop, const char* call, int fd, int error) {
  static lowlevel::LoopSlot<Warnings> slot;
  Warnings& warnings = slot.here(call);
  const TimePoint now = loop.now();
  if (now < warnings.next) return;
  warnings.next = now + between_warnings;
  loop.report(std::string{call} + "(fd " + std::to_string(fd) +
                  "): connections have to wait; close some, or raise the limit (ulimit -n)",
              std::make_exception_ptr(IoError("accept4", error_code_of(error))));
}

/// A descriptor nobody owns yet.
class Taken {
 public:
  explicit Taken(int fd) noexcept : fd_(fd) {}
  ~Taken() {
    if (fd_ >= 0) ::close(fd_);
  }
  Taken(const Taken&) = delete;
  Taken& operator=(const Taken&) = delete;

  Socket to_socket(const char* call) {
    Socket socket{fd_, call};
    fd_ = -1;
    return socket;
  }

 private:
  int fd_;
};

}  // namespace

Socket Socket::accept(const char* call) {
  CurrentTask self = lowlevel::enter(call);
  Use use{*this, Direction::read, call};
  // It may have been moved by the end of a wait.
  const auto here = [&use]() -> Socket& { return static_cast<Socket&>(use.channel()); };
  bool waited = false;
  const auto wait = [&] {
    here().accepted_at_once_ = 0;
    use.wait(self);
    waited = true;
  };
  Duration pause = first_pause;
  if (!has_more_) wait();
  for (;;) {
    const int fd = ::accept4(use.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      Socket accepted = Taken{fd}.to_socket(call);
      here().has_more_ = true;
      if (waited) return accepted;
      if (++here().accepted_at_once_ < most_at_once) {
        self.spend();
      } else {
        here().accepted_at_once_ = 0;
        self.yield();
      }
      return accepted;
    }
    const int error = errno;
    if (error == EAGAIN) {
      here().has_more_ = false;
      wait();
    } else if (is_shortage(error)) {
      warn(here().loop(), call, use.fd(), error);
      use.pause(self, pause);
      waited = true;
      pause = std::min<Duration>(pause * 2, longest_pause);
    } else if (error != EINTR && !concerns_one_connection(error)) {
      throw_io_error(call, use.fd(), error);
    }
  }
}

std::optional<Socket> Socket::try_accept(const char* call) {
  check(call);
  for (;;) {
    const int fd = ::accept4(this->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) return Taken{fd}.to_socket(call);
    const int error = errno;
    if (error == EINTR || concerns_one_connection(error)) continue;
    if (error == EAGAIN) return std::nullopt;
    throw_io_error(call, this->fd(), error);
  }
}

}  // namespace asyncio::detail

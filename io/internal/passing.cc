#include <asyncio/io/internal/passing.h>

#include <cerrno>
#include <cstring>
#include <string>

#include <sys/socket.h>
#include <sys/uio.h>

#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/io/errors.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio::detail {
namespace {

using lowlevel::CurrentTask;
using lowlevel::Direction;

/// A message of one piece with room for as many descriptors as there can be: so if some are
/// missing, this process may open no more.
class Message {
 public:
  Message(const void* data, std::size_t size) noexcept : piece_{const_cast<void*>(data), size} {
    message_.msg_iov = &piece_;
    message_.msg_iovlen = 1;
    message_.msg_control = control_;
    message_.msg_controllen = sizeof control_;
  }

  msghdr* get() noexcept { return &message_; }

  void put(std::span<const int> fds) noexcept {
    message_.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* const header = CMSG_FIRSTHDR(&message_);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }

  /// How many descriptors came.
  std::size_t count() noexcept {
    const cmsghdr* const header = CMSG_FIRSTHDR(&message_);
    const bool has_some =
        header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS;
    return has_some ? (header->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
  }
  int at(std::size_t i) noexcept {
    int fd;
    std::memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message_)) + i * sizeof fd, sizeof fd);
    return fd;
  }
  bool lacks_some() const noexcept { return (message_.msg_flags & MSG_CTRUNC) != 0; }

 private:
  iovec piece_;
  alignas(cmsghdr) std::byte control_[CMSG_SPACE(most_fds * sizeof(int))]{};
  msghdr message_{};
};

/// Owns every descriptor that came, also if there is no memory to tell of them.
std::vector<Fd> owned(Message& message) {
  std::vector<Fd> fds;
  const std::size_t count = message.count();
  try {
    fds.reserve(count);
  } catch (...) {
    for (std::size_t i = 0; i < count; ++i) Fd{message.at(i)};
    throw;
  }
  for (std::size_t i = 0; i < count; ++i) fds.emplace_back(message.at(i));
  return fds;
}

}  // namespace

std::size_t send_with_fds(Socket& socket, ConstBytes data, std::span<const int> fds,
                          const char* call) {
  CurrentTask self = lowlevel::enter(call);
  Socket::Use use{socket, Direction::write, call};
  Message message{data.data(), data.size()};
  message.put(fds);
  for (bool waited = false;; waited = true) {
    ssize_t sent;
    do {
      sent = ::sendmsg(use.fd(), message.get(), MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    if (sent >= 0) {
      if (!waited) self.spend();
      return static_cast<std::size_t>(sent);
    }
    if (errno != EAGAIN) throw_io_error(call, use.fd());
    use.wait(self);
  }
}

ReceivedFds receive_with_fds(Socket& socket, std::span<std::byte> into, std::size_t most,
                             const char* call) {
  const CurrentTask self = lowlevel::enter(call);
  Socket::Use use{socket, Direction::read, call};
  for (;;) {
    use.wait(self);
    Message message{into.data(), into.size()};
    ssize_t got;
    do {
      got = ::recvmsg(use.fd(), message.get(), MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN) continue;
    if (got < 0) throw_io_error(call, use.fd());
    std::vector<Fd> fds = owned(message);
    if (message.lacks_some()) throw_io_error(call, use.fd(), EMFILE);
    if (fds.size() > most) {
      throw LimitError(std::string{call} + ": " + std::to_string(fds.size()) +
                           " descriptors came, more than the " + std::to_string(most) +
                           " that were asked for; all are closed, and the bytes are dropped",
                       most);
    }
    return {static_cast<std::size_t>(got), std::move(fds)};
  }
}

}  // namespace asyncio::detail

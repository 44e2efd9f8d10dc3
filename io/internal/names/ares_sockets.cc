#include <asyncio/io/internal/names/ares_sockets.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <asyncio/io/internal/system_error.h>

namespace asyncio::detail {
namespace {

int made(int fd, const char* call) {
  if (fd < 0) throw_io_error(call, fd);
  return fd;
}

/// A datagram that was refused is told of by the next call, whatever that is for.  If that is the
/// send of another query, nobody would ever tell the first one.  So it is sent all the same, and
/// its own refusal is then for all that are under way.
ares_ssize_t send_query(ares_socket_t fd, const iovec* pieces, int count, void* /*data*/) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces);
  message.msg_iovlen = static_cast<std::size_t>(count);
  const ares_ssize_t sent = ::sendmsg(fd, &message, MSG_NOSIGNAL);
  return sent < 0 && errno == ECONNREFUSED ? ::sendmsg(fd, &message, MSG_NOSIGNAL) : sent;
}

}  // namespace

const ares_socket_functions& ares_socket_calls() noexcept {
  static constexpr ares_socket_functions calls{
      [](int family, int type, int protocol, void*) {
        return ::socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
      },
      [](ares_socket_t fd, void*) { return ::close(fd); },
      [](ares_socket_t fd, const sockaddr* to, ares_socklen_t size, void*) {
        return ::connect(fd, to, size);
      },
      [](ares_socket_t fd, void* into, std::size_t size, int flags, sockaddr* from,
         ares_socklen_t* from_size, void*) -> ares_ssize_t {
        return ::recvfrom(fd, into, size, flags, from, from_size);
      },
      &send_query,
  };
  return calls;
}

AresSockets::AresSockets(const char* call)
    : set_(made(::epoll_create1(EPOLL_CLOEXEC), call), call),
      timer_(made(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), call)),
      process_(::getpid()) {
  watch(timer_.get(), true, false);
  if (error_ != 0) throw_io_error(call, timer_.get(), error_);
}

void AresSockets::watch(int fd, bool readable, bool writable) noexcept {
  if (!set_.is_open() || !is_of_this_process()) return;
  epoll_event event{};
  event.events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
  event.data.fd = fd;
  if (event.events == 0) {
    ::epoll_ctl(set_.fd(), EPOLL_CTL_DEL, fd, &event);
    return;
  }
  const int done = ::epoll_ctl(set_.fd(), EPOLL_CTL_MOD, fd, &event);
  if (done == 0 || (errno == ENOENT && ::epoll_ctl(set_.fd(), EPOLL_CTL_ADD, fd, &event) == 0)) {
    return;
  }
  if (error_ == 0) error_ = errno;
}

void AresSockets::set_timer(Duration from_now) noexcept {
  itimerspec when{};
  if (from_now != Duration::max()) {
    // Zero would disarm it.
    const Duration delay = std::max(from_now, Duration{1});
    const auto seconds = std::chrono::floor<std::chrono::seconds>(delay);
    when.it_value = {seconds.count(), (delay - seconds).count()};
  }
  ::timerfd_settime(timer_.get(), 0, &when, nullptr);
}

void AresSockets::wait(lowlevel::CurrentTask self, const char* call) {
  if (const int error = std::exchange(error_, 0)) throw_io_error(call, -1, error);
  set_.wait(self, lowlevel::Direction::read, call);
}

int AresSockets::look(std::array<epoll_event, 16>& events) noexcept {
  if (!set_.is_open()) return 0;
  return ::epoll_wait(set_.fd(), events.data(), static_cast<int>(events.size()), 0);
}

void AresSockets::close() noexcept {
  set_.close();
  timer_ = Fd{};
}

bool AresSockets::is_of_this_process() const noexcept { return process_ == ::getpid(); }

}  // namespace asyncio::detail

#include <asyncio/io/internal/names/ares_sockets.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include <sys/timerfd.h>
#include <unistd.h>

#include <asyncio/io/internal/system_error.h>

namespace asyncio::detail {
namespace {

int made(int fd, const char* call) {
  if (fd < 0) throw_io_error(call, fd);
  return fd;
}

}  // namespace

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

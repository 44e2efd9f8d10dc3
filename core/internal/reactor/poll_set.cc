#include <asyncio/core/internal/reactor/poll_set.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <new>
#include <system_error>
#include <utility>

#include <fcntl.h>

#include <asyncio/core/errors.h>

namespace asyncio::detail {
namespace {

constexpr pollfd nothing{-1, 0, 0};

short to_poll(Interest interest) noexcept {  // NOLINT(google-runtime-int): poll's type
  return static_cast<short>((any(interest & Interest::read) ? POLLIN : 0) |
                            (any(interest & Interest::write) ? POLLOUT : 0));
}

/// An error or a hang-up counts as both directions: every waiter must wake up and find out.
Interest from_poll(int events) noexcept {
  const bool both = (events & (POLLERR | POLLHUP)) != 0;
  return (both || (events & POLLIN) != 0 ? Interest::read : Interest::none) |
         (both || (events & POLLOUT) != 0 ? Interest::write : Interest::none);
}

}  // namespace

int PollSet::watch(int fd, Interest wanted) noexcept {
  const auto index = static_cast<std::size_t>(fd);  // a negative one is beyond any size
  if (!any(wanted)) {
    if (index < polled_.size()) polled_[index] = nothing;
    return 0;
  }
  if (::fcntl(fd, F_GETFD) == -1) return errno;
  try {
    if (index >= polled_.size()) polled_.resize(index + 1, nothing);
  } catch (const std::bad_alloc&) {
    return ENOMEM;
  }
  polled_[index] = {fd, to_poll(wanted), 0};
  return 0;
}

void PollSet::wait(TimePoint until, ReadySink& sink) {
  const TimePoint now = Clock::now();
  const Duration left = until > now ? until - now : Duration::zero();  // min() is far below
  const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
  timespec time{};
  time.tv_sec = seconds.count();
  time.tv_nsec = (left - seconds).count();
  const bool for_ever = until == TimePoint::max();
  if (::ppoll(polled_.data(), polled_.size(), for_ever ? nullptr : &time, nullptr) < 0) {
    if (errno == EINTR) return;
    throw BackendError("poll cannot wait: " + std::generic_category().message(errno));
  }
  for (pollfd& polled : polled_) {
    if (polled.fd < 0 || polled.revents == 0) continue;
    if ((polled.revents & POLLNVAL) != 0) {
      sink.dead(std::exchange(polled, nothing).fd);
    } else {
      sink.ready(polled.fd, from_poll(polled.revents));
    }
  }
}

}  // namespace asyncio::detail

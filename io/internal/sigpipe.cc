#include <asyncio/io/internal/sigpipe.h>

#include <ctime>

namespace asyncio::detail {
namespace {

sigset_t only_sigpipe() noexcept {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGPIPE);
  return set;
}

}  // namespace

SigpipeBlocked::SigpipeBlocked() noexcept {
  const sigset_t it = only_sigpipe();
  ::pthread_sigmask(SIG_BLOCK, &it, &before_);
  if (::sigismember(&before_, SIGPIPE) == 0) return;  // else it would not have been left pending
  sigset_t pending;
  ::sigpending(&pending);
  was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
}

SigpipeBlocked::~SigpipeBlocked() {
  const int error = errno;
  const sigset_t it = only_sigpipe();
  if (error == EPIPE && !was_pending_) {
    const timespec at_once{};
    while (::sigtimedwait(&it, nullptr, &at_once) < 0 && errno == EINTR) continue;
  }
  if (::sigismember(&before_, SIGPIPE) == 0) ::pthread_sigmask(SIG_UNBLOCK, &it, nullptr);
  errno = error;
}

std::ptrdiff_t write_without_signal(int fd, std::span<const iovec> pieces) noexcept {
  const int count = static_cast<int>(pieces.size());
  if (kernel_takes_nosignal.load(std::memory_order_relaxed)) {
    const std::ptrdiff_t sent = ::pwritev2(fd, pieces.data(), count, -1, rwf_nosignal);
    if (sent >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS)) return sent;
    kernel_takes_nosignal.store(false, std::memory_order_relaxed);
  }
  const SigpipeBlocked quiet;
  return ::writev(fd, pieces.data(), count);
}

}  // namespace asyncio::detail

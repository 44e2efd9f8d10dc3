// Writing where nobody reads, without the signal.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <span>
#include <utility>

#include <signal.h>
#include <sys/uio.h>

namespace asyncio::detail {

/// While one is alive, SIGPIPE is not delivered to this thread.  One that came meanwhile is gone
/// afterwards; one that was pending before stays.  Keeps errno.
/// Cost: two system calls.
class SigpipeBlocked {
 public:
  SigpipeBlocked() noexcept;
  /// Requires: the same thread, so the task has not suspended, and errno is as the call left it,
  /// which must be the only one since.
  ~SigpipeBlocked();
  SigpipeBlocked(const SigpipeBlocked&) = delete;
  SigpipeBlocked& operator=(const SigpipeBlocked&) = delete;

 private:
  sigset_t before_;
  bool was_pending_ = false;
};

/// RWF_NOSIGNAL, of Linux 6.18: the C library may not know it yet.
inline constexpr int rwf_nosignal = 0x100;

/// Does the kernel know it?  Taken for true until it says no.
inline constinit std::atomic<bool> kernel_takes_nosignal{true};

/// As writev(2), but never raises SIGPIPE.
std::ptrdiff_t write_without_signal(int fd, std::span<const iovec> pieces) noexcept;

}  // namespace asyncio::detail

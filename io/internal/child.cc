#include <asyncio/io/internal/child.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asyncio/core/errors.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/loop.h>
#include <asyncio/io/internal/system_error.h>

// glibc has it since 2.36.
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

namespace asyncio::detail {

using namespace std::chrono_literals;
using lowlevel::CurrentTask;

namespace {

/// What Linux 6.15 tells of a process that somebody has reaped; see ioctl_pidfd(2).
struct PidfdInfo {
  std::uint64_t mask = 1 << 3;  // PIDFD_INFO_EXIT
  std::uint64_t cgroup = 0;
  std::uint32_t ids[11] = {};
  std::int32_t status = 0;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr unsigned long get_pidfd_info = _IOWR(0xFF, 11, PidfdInfo);
constexpr unsigned int signal_process_group = 1 << 2;  // Linux 6.9

ExitStatus status_of(int code, int status) noexcept {
  if (code == CLD_EXITED) return ExitStatus::exited(status);
  return ExitStatus::signalled(status, code == CLD_DUMPED);
}

constexpr lowlevel::WaitQueue::Kind follower_kind{"end of a process"};
constexpr lowlevel::WaitReason pause_reason{"end of a process"};

// A leader that has ended before its other threads: nothing says when they have.
constexpr Duration first_pause = 1ms;
constexpr Duration longest_pause = 50ms;

}  // namespace

std::optional<ExitStatus> reap_child(int pidfd) noexcept {
  siginfo_t info{};
  int result;
  do {
    errno = 0;
    result = ::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info,
                      WEXITED | WNOHANG);
  } while (result != 0 && errno == EINTR);
  if (result == 0) {
    errno = 0;
    if (info.si_pid == 0) return std::nullopt;
    return status_of(info.si_code, info.si_status);
  }
  PidfdInfo later;
  if (::ioctl(pidfd, get_pidfd_info, &later) != 0 || (later.mask & (1 << 3)) == 0) {
    errno = ECHILD;
    return std::nullopt;
  }
  errno = 0;
  if (WIFEXITED(later.status)) return ExitStatus::exited(WEXITSTATUS(later.status));
  return ExitStatus::signalled(WTERMSIG(later.status), WCOREDUMP(later.status));
}

int send_signal(int pidfd, pid_t pid, bool to_group, int signo) noexcept {
  const auto send = [&](unsigned int flags) {
    const long result = ::syscall(SYS_pidfd_send_signal, pidfd, signo, nullptr, flags);
    return result == 0 ? 0 : errno;
  };
  if (!to_group) return send(0);
  const int error = send(signal_process_group);
  if (error != EINVAL) return error;
  // An older kernel.  As long as the child is not reaped, its number is nobody else's.
  return ::kill(-pid, signo) == 0 ? 0 : errno;
}

// ---- Waiting ------------------------------------------------------------------------------------

/// The task that watches the descriptor.  When it stops, another one has to.
struct Child::Watch {
  explicit Watch(Child& of) noexcept : child(of) { child.watched_ = true; }
  ~Watch() {
    child.watched_ = false;
    child.followers_.wake_all();
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  Child& child;
};

bool Child::reap(const char* call) {
  if (status_) return true;
  pidfd_.check(call);
  if (!lost_) {
    status_ = reap_child(pidfd_.fd());
    lost_ = errno == ECHILD;
  }
  if (lost_) {
    throw InvalidStateError(
        std::string{call} + "(pid " + std::to_string(pid_) +
        "): somebody else has taken its status, so it cannot be known; look for a handler of "
        "SIGCHLD or a thread that waits for any child, as libev's default loop does, and wait for "
        "single children there");
  }
  return status_.has_value();
}

ExitStatus Child::wait(const char* call) {
  CurrentTask self = lowlevel::enter(call);
  const std::shared_ptr<Child> kept = shared_from_this();
  bool waited = false;
  for (Duration pause = Duration::zero(); !status_; waited = true) {
    if (watched_) {
      followers_.wait(self, follower_kind, call);
      continue;
    }
    const Watch watch{*this};
    if (reap(call)) break;
    if (pause == Duration::zero()) {
      pidfd_.wait(self, lowlevel::Direction::read, call);
      pause = first_pause;
      if (reap(call)) break;
    }
    lowlevel::Waiter waiter{pause_reason};
    self.suspend_until(waiter, deadline_after(pidfd_.loop().now(), pause));
    pause = std::min(2 * pause, longest_pause);
  }
  if (!waited) self.spend();
  return *status_;
}

std::optional<ExitStatus> Child::poll(const char* call) {
  return reap(call) ? status_ : std::nullopt;
}

void Child::signal(int signo, const char* call) {
  if (signo < 1 || signo > SIGRTMAX) {
    throw std::invalid_argument(std::string{call} + "(" + std::to_string(signo) +
                                "): this is no signal; give it one such as SIGTERM");
  }
  if (status_ || lost_) return;
  pidfd_.check(call);
  const int error = send_signal(pidfd_.fd(), pid_, has_group_, signo);
  if (error != 0 && error != ESRCH) {
    throw IoError(std::string{call} + "(pid " + std::to_string(pid_) + ")", error_code_of(error));
  }
}

void Child::let_go(bool with_force) noexcept {
  Fd pidfd{pidfd_.release()};
  followers_.wake_all();  // to find out that it is closed
  if (status_ || lost_ || pidfd.get() < 0) return;
  if (with_force) send_signal(pidfd.get(), pid_, has_group_, SIGKILL);
  if (reap_child(pidfd.get()) || errno == ECHILD) return;
  reap_later(std::move(pidfd), with_force);
}

}  // namespace asyncio::detail

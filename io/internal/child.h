// A child, until it is reaped.
#pragma once

#include <memory>
#include <optional>

#include <sys/types.h>

#include <asyncio/core/lowlevel/descriptor.h>
#include <asyncio/core/lowlevel/wait_queue.h>
#include <asyncio/io/exit_status.h>
#include <asyncio/io/fd.h>

namespace asyncio::detail {

/// The child behind a Process, which shares it with those who wait.
class Child : public std::enable_shared_from_this<Child> {
 public:
  /// Throws: as OwnedDescriptor; `pidfd` is the caller's then.
  Child(pid_t pid, int pidfd, bool has_group, const char* call)
      : pidfd_(pidfd, call), pid_(pid), has_group_(has_group) {}

  /// As Process says.
  ExitStatus wait(const char* call);
  std::optional<ExitStatus> poll(const char* call);
  void signal(int signo, const char* call);
  pid_t pid() const noexcept { return pid_; }

  /// Ends the use of it: kills the child if `with_force`, and has it reaped later.
  void let_go(bool with_force) noexcept;

 private:
  struct Watch;

  /// Asks for the status.  Returns false if the child has not ended.
  bool reap(const char* call);

  lowlevel::OwnedDescriptor pidfd_;
  lowlevel::WaitQueue followers_;  ///< wait while another task watches the descriptor
  std::optional<ExitStatus> status_;
  pid_t pid_;
  bool has_group_;
  bool watched_ = false;
  bool lost_ = false;  ///< somebody else took the status
};

/// Sends `signo`; returns an errno.
int send_signal(int pidfd, pid_t pid, bool to_group, int signo) noexcept;

/// Returns how the child of `pidfd` has ended, if it has, and reaps it; sets errno to ECHILD if
/// somebody else did, and it cannot be known any more, else to 0.
std::optional<ExitStatus> reap_child(int pidfd) noexcept;

/// Has the running loop reap a child when it ends; without a loop, or if that ends before, it is
/// reaped at once if it was killed, and else when the next one is started.
void reap_later(Fd pidfd, bool was_killed) noexcept;
/// Reaps those that have ended of the children that outlived their loops.
void reap_left_behind() noexcept;

}  // namespace asyncio::detail

// Processes that this one starts.
#pragma once

#include <memory>
#include <optional>

#include <sys/types.h>

#include <asyncio/io/command.h>
#include <asyncio/io/exit_status.h>
#include <asyncio/io/export.h>
#include <asyncio/io/pipe.h>

namespace asyncio {

namespace detail {
class Child;
}

/// A child.  It needs no SIGCHLD, whose disposition stays the program's, and leaves no zombie.
///
/// Belongs to the loop it was started in.  It may be moved while a task waits.  For a command whose
/// output is wanted as a whole, run_process() is simpler.
/// Threads: the thread of its loop, except for the destructor.
class ASYNCIO_IO_API Process {
 public:
  /// Starts the program.  Usual are /dev/null for its input, and our output and error output.
  ///
  /// It has those three descriptors and no other, no signal blocked, and SIGPIPE as by default;
  /// other signals that this process ignores, it ignores too.
  /// Suspends: while its file is open for writing, for about 100 ms; and for others to run.
  /// Cancels: Cancelled; nothing was started.
  /// Throws: IoError, which names the program or the directory that was at fault;
  /// std::invalid_argument for texts with a NUL or no program; InvalidStateError if SIGCHLD is
  /// ignored, or set to SA_NOCLDWAIT: then the system throws the statuses of children away;
  /// NotInTaskError.
  /// Cost: about 0.5 ms, however much memory this process has.
  static Process spawn(const Command& command);

  Process(Process&&) noexcept;
  Process& operator=(Process&&) noexcept;
  /// Kills the child, with its group if it has one of its own, unless it has ended.  The loop reaps
  /// it when it has died.
  ~Process();

  /// Waits until the child has ended.  What it has started may live on, and hold its pipes.  May be
  /// called again, and by several tasks.
  /// Suspends: unless it has ended.
  /// Cancels: Cancelled; the child lives on.
  /// Throws: InvalidStateError if somebody else has taken its status away, and the kernel is older
  /// than 6.15; ClosedError if the Process is destroyed meanwhile; NotInTaskError.
  ExitStatus wait();
  /// How it has ended, or nothing if it has not.
  /// Suspends: never.  Throws: as wait().
  std::optional<ExitStatus> poll();

  /// The other ends of its pipes.
  /// Throws: InvalidStateError if the command has no Redirect::pipe() there.
  PipeWriter& in();
  PipeReader& out();
  PipeReader& err();

  /// Sends a signal to its group, or to the child if it has no group of its own.  Does nothing once
  /// it has been waited for, so no other process is ever hit.
  /// Suspends: never.
  /// Throws: std::invalid_argument for what is no signal; IoError if it may not be sent.
  void signal(int signo);
  pid_t pid() const noexcept;

  /// Lets the child live on by itself.  It is still reaped when it ends, if this process is there.
  /// Tasks in wait() get ClosedError.
  void detach() &&;

 private:
  explicit Process(std::shared_ptr<detail::Child> child) noexcept : child_(std::move(child)) {}

  std::shared_ptr<detail::Child> child_;
  std::optional<PipeWriter> in_;
  std::optional<PipeReader> out_;
  std::optional<PipeReader> err_;
};

}  // namespace asyncio

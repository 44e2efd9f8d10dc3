// One suspension of one task, and the calls every primitive is built from.
//
// A Waiter lives on the suspended task's own stack.  Whoever ends the wait (the waker, a cancel, a
// deadline) sets its outcome; the first wins and unlinks it everywhere, so a stale wake-up cannot
// exist.  See core/DESIGN.md, "Suspending".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <asyncio/core/detail/list.h>
#include <asyncio/core/detail/timer_node.h>
#include <asyncio/core/export.h>
#include <asyncio/core/time.h>

namespace asyncio::detail {

class Loop;
class TaskControl;

enum class Wake : std::uint8_t {
  pending,    ///< still waiting
  completed,  ///< the thing waited for happened
  cancelled,  ///< a cancel reached the task: the caller throws Cancelled
  timed_out,  ///< the wait's own deadline passed
  broken,     ///< the thing waited for went away
};

/// What a task waits for, for reports and for deadlock detection.
enum class WaitKind : std::uint8_t {
  nothing,
  timer,
  fd_readable,
  fd_writable,
  task,
  tasks,
  scope,
  future,
  semaphore,
  mutex,
  rwlock,
  condition,
  event,
  barrier,
  queue_get,
  queue_put,
  thread,
  signal,
};

/// What a Waiter of kind `tasks` waits on.
struct TaskSet {
  TaskControl* const* tasks;
  std::size_t count;
};

struct Waiter : ListNode {
  explicit Waiter(WaitKind what, const void* on = nullptr) noexcept : object(on), kind(what) {}

  TaskControl* task = nullptr;
  /// What it waits on: a TaskControl for WaitKind::task, a TaskSet for tasks, a Scope for scope, the
  /// number itself for descriptors; else for reports only.
  const void* object;
  /// Called at most once, when a cancel or a deadline wants to end the wait.  True: the wait is
  /// undone (the waiter has left every queue).  False: it cannot be, and will complete.  Null stands
  /// for unlink().
  bool (*abort)(Waiter&) noexcept = nullptr;
  Wake outcome = Wake::pending;
  WaitKind kind;
  bool cancellable = true;
};

/// The current task, ready to suspend.  First thing every suspending call does.
/// `call` is its name in error messages.
/// Throws: NotInTaskError; Cancelled if a cancel is pending and may be delivered here; Error after
/// a fork that was not followed by EventLoop::after_fork().
ASYNCIO_API TaskControl& enter_wait(const char* call);

/// As enter_wait, but delivers no cancel: for waits inside destructors of the library.
ASYNCIO_API TaskControl& enter_shielded_wait(const char* call);

/// Parks the current task until wake() or a cancel; returns the outcome.  The caller has linked
/// `waiter` where its waker will find it.
ASYNCIO_API Wake suspend(TaskControl& self, Waiter& waiter);

/// As suspend(), with a deadline.  `deadline` <= now still gives the waker this turn.
ASYNCIO_API Wake suspend_until(TaskControl& self, Waiter& waiter, TimePoint deadline);

/// Ends a wait: unlinks the waiter and makes its task ready.  No-op if the wait has ended already.
/// Loop thread only.  Never runs user code.
ASYNCIO_API void wake(Waiter& waiter, Wake outcome = Wake::completed) noexcept;

/// Throws InvalidStateError if this is not the thread of the waiter's loop.
ASYNCIO_API void check_loop_thread(const Waiter& waiter, const char* call);

/// After an operation that completed at once: yields when the task's budget of such completions is
/// spent, so that a task that never has to wait cannot starve the others.  Never throws Cancelled.
ASYNCIO_API void spend_budget(TaskControl& self);

/// Throws Cancelled with the cause that reached `self`.
[[noreturn]] ASYNCIO_API void throw_cancelled(TaskControl& self);

/// Throws what `outcome` calls for: Cancelled, or nothing for completed and timed_out.
inline void rethrow_cancel(TaskControl& self, Wake outcome) {
  if (outcome == Wake::cancelled) [[unlikely]]
    throw_cancelled(self);
}

/// The running task of this thread, or null.
ASYNCIO_API TaskControl* current_task_control() noexcept;

/// While alive, no cancel is delivered to the current task (rule R5).  Cheap; nests.
class NoCancel {
 public:
  explicit NoCancel(TaskControl& task) noexcept;  // these two: task_control.h
  ~NoCancel();
  NoCancel(const NoCancel&) = delete;
  NoCancel& operator=(const NoCancel&) = delete;

 private:
  TaskControl& task_;
};

}  // namespace asyncio::detail

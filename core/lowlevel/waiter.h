// One suspension of one task.
//
// A Waiter lives on the suspended task's own stack.  Whoever ends the wait (the waker, a cancel, a
// deadline) sets its outcome; the first wins and unlinks it everywhere, so a stale wake-up cannot
// exist.  A wait costs no allocation.  Most primitives need a WaitQueue and no Waiter of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <asyncio/core/export.h>
#include <asyncio/core/lowlevel/list.h>

namespace asyncio::detail {
class TaskControl;
struct TaskSet;
}  // namespace asyncio::detail

namespace asyncio::lowlevel {

enum class Wake : std::uint8_t {
  pending,    ///< still waiting
  completed,  ///< the thing waited for happened
  cancelled,  ///< a cancel reached the task: the caller throws Cancelled
  timed_out,  ///< the wait's own deadline passed
  broken,     ///< the thing waited for went away
};

struct Waiter;

/// What a kind of wait has in common.  One constant for each kind; it outlives every wait.
struct WaitReason {
  /// What a person reads in AnyTask::wait_reason() and in dumps, such as "mutex".
  const char* what;
  /// Called at most once, when a cancel or a deadline wants to end the wait.  Returns true if the
  /// wait is undone: the waiter has left every queue.  Returns false if it cannot be undone and is
  /// about to complete.  Runs no user code.  Null stands for Waiter::unlink().
  bool (*abort)(Waiter& waiter) noexcept = nullptr;
  /// Tells more than `what` does.  Null: `what` is all there is to tell.
  std::string (*describe)(const Waiter& waiter) = nullptr;
  /// The tasks whose end is waited for, so that a cycle of awaits is found.  Null: none.
  const detail::TaskSet& (*awaited)(const Waiter& waiter) noexcept = nullptr;
};

struct Waiter : ListNode {
  explicit Waiter(const WaitReason& why) noexcept : reason(&why) {}

  detail::TaskControl* task = nullptr;  ///< set when it suspends
  const WaitReason* reason;
  Wake outcome = Wake::pending;
  bool cancellable = true;  ///< may a cancel end it?
};

/// Ends a wait: unlinks the waiter and makes its task ready.  Does nothing if the wait has ended.
/// Suspends: never; runs no user code.
/// Threads: the loop's thread.
/// Cost: O(1), no allocation.
ASYNCIO_API void wake(Waiter& waiter, Wake outcome = Wake::completed) noexcept;

}  // namespace asyncio::lowlevel

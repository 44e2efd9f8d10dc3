// Tasks: starting them, naming them, waiting for their results.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/export.h>
#include <asyncio/core/task_state.h>
#include <asyncio/core/time.h>

namespace asyncio {

class CancellationScope;

/// Which ready tasks of one turn run first.  Every class gets its turn in every turn, so `work` is
/// never starved.
enum class TaskPriority : std::uint8_t { system, control, work };

/// How a task is made.
struct TaskOptions {
  std::string name = {};       ///< empty: "Task-<id>"
  std::size_t stack_size = 0;  ///< bytes, rounded up to pages; 0: the loop's default
  std::size_t guard_size = 0;  ///< likewise, of the guard below the stack
  TaskPriority priority = TaskPriority::work;
  /// Keeps nobody waiting: when only such tasks are left, EventLoop::run() returns, and a TaskGroup
  /// cancels and joins them.
  bool background = false;
};

/// Figures about one task.
struct TaskStats {
  TimePoint created_at;
  std::optional<TimePoint> started_at;
  std::optional<TimePoint> completed_at;
  std::uint64_t suspensions = 0;  ///< how often it left the CPU
  std::size_t stack_size = 0;     ///< bytes; 0 once the stack has been given back
  std::size_t stack_used = 0;     ///< bytes of it ever touched, to whole pages
};

/// The untyped handle of a task: what observers and dumps use.
///
/// A handle names a task; it does not own it.  The scope owns the running task, so dropping every
/// handle stops nothing.
///
/// Threads: handles may be copied, dropped and asked for id, name, state and cancel() from any
/// thread.  Everything else: the loop's thread.
class ASYNCIO_API AnyTask {
 public:
  /// Names no task; every call but valid() throws InvalidStateError.
  AnyTask() noexcept = default;
  explicit AnyTask(detail::TaskRef control) noexcept : control_(std::move(control)) {}

  bool valid() const noexcept { return static_cast<bool>(control_); }

  /// Unique within the process, from 1.
  std::uint64_t id() const { return control().id; }
  std::string name() const { return control().display_name(); }
  TaskState state() const { return control().state(); }
  bool is_done() const { return control().done(); }

  /// The failure, or null if the task completed or was cancelled.  Counts as having looked.
  /// Throws: InvalidStateError while the task is running.
  std::exception_ptr exception() const;
  /// Whether the task has failed.  Does not count as having looked.
  bool has_exception() const { return state() == TaskState::failed; }

  /// Asks the task to unwind: Cancelled is thrown at its next suspending call, or now if it is
  /// parked in one.  A task that has not begun never will.  Idempotent: the first reason stays.
  /// Suspends: never; runs no user code.
  /// Returns whether the task was alive.
  /// Threads: any; from another thread the request is posted.
  bool cancel(std::string_view reason = {}) const;

  /// Calls `callback` from the loop once the task has ended, in the order of adding.  If the task
  /// has ended already, that is in the next turn.  What it throws goes to the loop's exception
  /// handler.
  /// Returns an id for remove_done_callback(), or 0 if the task had ended.
  std::uint64_t add_done_callback(UniqueFunction<void()> callback) const;
  /// Takes a callback of this task out again.  Returns false if the task has ended, or there is
  /// none with this id.
  bool remove_done_callback(std::uint64_t id) const;

  TimePoint created_at() const { return control().created; }
  std::optional<TimePoint> started_at() const;
  std::optional<TimePoint> completed_at() const;
  /// From the start to the end, or to now; zero before the start.
  Duration duration() const;
  /// From creation to the start, or to now.
  Duration wait_time() const;
  TaskStats stats() const;

  /// What a task that is not on the CPU waits for, for a person: "ready", "timer", "fd 7 readable",
  /// "task 'fetch'", "thread"…; "running" for the current task, "done" for one that has ended.
  std::string wait_reason() const;

  friend bool operator==(const AnyTask& a, const AnyTask& b) noexcept {
    return a.control_.get() == b.control_.get();
  }

  /// For the library.
  /// Throws: InvalidStateError for a handle that names no task.
  detail::TaskControl& control() const {
    if (!control_) [[unlikely]]
      empty_handle();
    return *control_;
  }

 protected:
  [[noreturn]] static void empty_handle();

 private:
  detail::TaskRef control_;
};

/// The handle of a task whose body returns T.
template <class T>
class Task : public AnyTask {
 public:
  using value_type = T;
  using AnyTask::AnyTask;

  /// The result, without waiting.
  /// Throws: what the body threw; TaskCancelledException for a task that ended cancelled;
  /// InvalidStateError while it is running.
  detail::ResultView<T> result() const;

  /// As AnyTask::add_done_callback; `callback` may also take the Task.
  template <class F>
  std::uint64_t add_done_callback(F&& callback) const {
    if constexpr (std::is_invocable_v<std::decay_t<F>&, Task>) {
      return AnyTask::add_done_callback(
          [self = *this, f = std::forward<F>(callback)]() mutable { f(self); });
    } else {
      return AnyTask::add_done_callback(UniqueFunction<void()>{std::forward<F>(callback)});
    }
  }

  /// The scope that owns the task, or null once it has ended.  Defined in
  /// <asyncio/concurrency/cancellation_scope.h>.
  CancellationScope* scope() const;

  /// For the library.
  detail::TaskResult<T>& typed_control() const {
    return static_cast<detail::TaskResult<T>&>(control());
  }
};

namespace detail {

/// A body larger than this moves to the heap instead of using up its own stack.
inline constexpr std::size_t largest_closure_on_stack = 1024;

/// The scope a free create_task() adds to: the innermost explicit one of the current task, else the
/// root of this thread's loop.
/// Throws: NoRunningLoopError.
ASYNCIO_API Scope& owner_scope_or_throw(const char* call);
/// Gives `control` a stack and an id; returns where its closure goes, aligned for it.
/// Throws: InvalidStateError for a scope that has ended; Error when out of stacks.  The control
/// block is untouched then.
ASYNCIO_API void* prepare_task(TaskControl& control, Scope& scope, std::string_view name,
                               StackSize stack_size, TaskPriority priority, std::size_t size,
                               std::size_t alignment);
/// Undoes prepare_task() after the closure's construction threw.
ASYNCIO_API void abandon_prepared(TaskControl& control) noexcept;
/// Hands the task over to its scope and the ready queue.
ASYNCIO_API void start_task(TaskControl& control) noexcept;
/// Throws DeadlockError if `self`, by waiting for all of `targets`, would wait for itself, and
/// InvalidStateError if one that has not ended runs on another loop.
ASYNCIO_API void check_awaitable(TaskControl& self, const TaskSet& targets, const char* call);
/// Waits until the task has ended, by every rule of await() except those about the result.
ASYNCIO_API void join_task(TaskControl& target, const char* call);
/// Parks until `target` has ended, and checks no rule of await().  Requires: it has not ended yet.
ASYNCIO_API lowlevel::Wake park_until_ended(lowlevel::CurrentTask self, TaskControl& target,
                                            const TimePoint* deadline);
/// Throws the reason why there is no result; counts as having looked.
[[noreturn]] ASYNCIO_API void throw_no_result(TaskControl& control);
/// Throws unless the task completed; counts as having looked.
inline void check_result(TaskControl& control) {
  if (control.state() != TaskState::completed) [[unlikely]]
    throw_no_result(control);
}

/// A body that lives on the heap, because its stack is too small for it.
template <class Body>
struct Boxed {
  std::unique_ptr<Body> body;
  decltype(auto) operator()() { return std::invoke(*body); }
};

template <class Body, class R>
void invoke_body(TaskControl& control, void* closure, bool run) {
  Body& body = *static_cast<Body*>(closure);
  struct Destroy {  // inside the task, even when the body throws or never ran
    TaskControl& control;
    Body& body;
    ~Destroy() {
      ++control.no_cancel;  // a cancel that is still pending must not throw out of it
      body.~Body();
      --control.no_cancel;
    }
  } destroy{control, body};
  if (run) {
    static_cast<TaskResult<R>&>(control).value.fill([&body]() -> R { return std::invoke(body); });
  }
}

template <class F>
using BodyResult = std::invoke_result_t<std::decay_t<F>&>;

template <class F>
Task<BodyResult<F>> spawn(Scope& scope, F&& body, std::string_view name, StackSize stack_size,
                          TaskPriority priority, bool background = false) {
  using Body = std::decay_t<F>;
  using R = BodyResult<F>;
  if constexpr (sizeof(Body) > largest_closure_on_stack) {
    return spawn(scope, Boxed<Body>{std::make_unique<Body>(std::forward<F>(body))}, name,
                 stack_size, priority, background);
  } else {
    auto control = std::make_unique<TaskResult<R>>();
    void* place =
        prepare_task(*control, scope, name, stack_size, priority, sizeof(Body), alignof(Body));
    if constexpr (std::is_nothrow_constructible_v<Body, F&&>) {
      ::new (place) Body(std::forward<F>(body));
    } else {
      try {
        ::new (place) Body(std::forward<F>(body));
      } catch (...) {
        abandon_prepared(*control);
        throw;
      }
    }
    control->invoke = &invoke_body<Body, R>;
    control->closure = place;
    control->background = background;
    start_task(*control);
    return Task<R>{TaskRef{control.release()}};
  }
}

template <class F>
Task<BodyResult<F>> spawn(Scope& scope, F&& body, const TaskOptions& options) {
  return spawn(scope, std::forward<F>(body), options.name, {options.stack_size, options.guard_size},
               options.priority, options.background);
}

}  // namespace detail

/// Starts a task.  Its body runs through the ready queue, never inside this call.
///
/// The new task joins the innermost explicit scope of the current task (else the root) and is
/// cancelled and joined with it at the latest.  In a scope that is being cancelled it is born
/// cancelled and never runs; its body is still destroyed, inside the task.
/// Suspends: never.
/// Throws: NoRunningLoopError without a loop on this thread (the body has not run);
/// InvalidStateError in a scope that has ended; Error when out of stacks.
/// Cost: one allocation (the control block), a pooled stack.
template <std::invocable F>
ASYNCIO_API_STABLE auto create_task(F&& body, std::string_view name = {})
    -> Task<detail::BodyResult<F>> {
  return detail::spawn(detail::owner_scope_or_throw("create_task"), std::forward<F>(body), name, {},
                       TaskPriority::work);
}

template <std::invocable F>
auto create_task(F&& body, const TaskOptions& options) -> Task<detail::BodyResult<F>> {
  return detail::spawn(detail::owner_scope_or_throw("create_task"), std::forward<F>(body), options);
}

/// Waits for a task and returns a copy of its result (if that is a reference, the reference).
///
/// Suspends: unless the task has ended.  Several tasks may await one; they wake in order.
/// Cancels: a cancelled caller stops waiting; the task goes on.
/// Throws: what the body threw; TaskCancelledException if the task ended cancelled; DeadlockError
/// for the task itself or a cycle of awaits; NotInTaskError outside a task.
template <class T>
ASYNCIO_API_STABLE T await(const Task<T>& task) {
  const Task<T> keep = task;
  detail::join_task(keep.control(), "await");
  detail::check_result(keep.control());
  return keep.typed_control().value.get();
}

/// As above, but moves the result out: for results that cannot be copied.
template <class T>
T await(Task<T>&& task) {
  const Task<T> keep = std::move(task);
  detail::join_task(keep.control(), "await");
  detail::check_result(keep.control());
  return keep.typed_control().value.take();
}

/// Waits for a task of any type, without its result.
/// Throws: as await().
ASYNCIO_API void await(const AnyTask& task);

/// The task this code runs in.
/// Throws: NotInTaskError.
ASYNCIO_API AnyTask current_task();

template <class T>
detail::ResultView<T> Task<T>::result() const {
  detail::check_result(control());
  return typed_control().value.get();
}

}  // namespace asyncio

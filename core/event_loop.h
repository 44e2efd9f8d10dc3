// The event loop: tasks, timers, callbacks and posts over one EventLoopInterface.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <asyncio/core/event_loop_interface.h>
#include <asyncio/core/export.h>
#include <asyncio/core/fwd.h>
#include <asyncio/core/task.h>
#include <asyncio/core/test_clock.h>
#include <asyncio/core/time.h>
#include <asyncio/core/timer_id.h>
#include <asyncio/core/unique_function.h>

namespace asyncio {

namespace detail {
class Loop;
struct LoopHold;
struct Rooms;
}  // namespace detail

/// How a loop behaves.
struct LoopOptions {
  /// Usable bytes of a task's stack, rounded up to pages; 0: 256 KiB (512 KiB under sanitizers).
  std::size_t stack_size = 0;
  /// Bytes below a stack that fault when touched, rounded up to pages; 0: 80 KiB.  A function whose
  /// frame is larger than that can step over the guard, unless it is compiled with
  /// -fstack-clash-protection.
  std::size_t guard_size = 0;
  /// Takes exact time stamps of tasks, and reports callbacks and slices over 100 ms on stderr.
  bool debug = false;
  /// Virtual time, for tests.
  TestClock* clock = nullptr;
  /// Shuffles each turn's ready tasks reproducibly, for tests.  0 means first in, first out; unset
  /// means the environment variable ASYNCIO_SHUFFLE_SEED, else 0.
  std::optional<std::uint64_t> shuffle_seed = {};
  /// How long a task may go on ignoring its cancellation before it is reported by name and, at the
  /// end of run(), abandoned.
  Duration shutdown_grace = std::chrono::seconds{5};
  /// Reports a stack overflow by name through a SIGSEGV handler (earlier handlers are kept and
  /// called).  This is the only signal disposition that the library touches without being asked.
  bool report_stack_overflow = true;
  /// Signals that the threads of to_thread() block, beside those that the loop's thread blocks: for
  /// a program that takes signals in a thread of its choice.  What a callable starts there inherits
  /// the mask.
  std::vector<int> signals_blocked_in_workers = {};
};

/// What the exception handler of a loop is told.
struct ExceptionContext {
  std::string message;           ///< what happened, for a person
  std::exception_ptr exception;  ///< may be null
  AnyTask task;                  ///< may name no task
};

/// Counters of a loop since it was made.
struct LoopStatistics {
  std::uint64_t turns = 0;          ///< times the loop looked at timers and posts
  std::uint64_t backend_waits = 0;  ///< calls into the backend, each one system call or more
  std::uint64_t switches = 0;       ///< times a task was resumed
  std::uint64_t tasks_created = 0;
  std::size_t tasks_alive = 0;
  std::size_t ready = 0;       ///< tasks and callbacks that wait for their turn
  std::size_t timers = 0;      ///< armed deadlines of every kind
  std::size_t fd_waiters = 0;  ///< tasks parked on descriptors
  std::uint64_t posts = 0;     ///< things other threads left here
  std::size_t stacks = 0;      ///< mapped
  std::size_t stacks_free = 0;
  std::size_t stacks_guarded = 0;  ///< of those mapped, the ones with a guard
};

/// What a host of any kind watches; see attach_by_descriptor().
struct NativeHandle {
  int fd = -1;  ///< readable when EventLoop::process() has something to do: poll it for that
  TimePoint deadline{};  ///< when it will be so at the latest; max(): only an event can do it
  /// Is anything left but tasks and timers in the background?  If not, the host may end.
  bool alive = false;
};

/// A loop as other threads may hold it: copyable, and good for posting only.
///
/// While one is alive, a loop whose tasks are all blocked waits for a post instead of reporting a
/// deadlock.
/// Threads: any.
class ASYNCIO_API LoopHandle {
 public:
  /// Has `callback` called on the loop's thread, in the order of posting.
  /// Throws: ClosedError when the loop is gone; std::invalid_argument for an empty callback.
  /// Cost: two allocations; a system call only if the loop sleeps.
  void call_soon_threadsafe(UniqueFunction<void()> callback) const;
  /// The same, under the name executors use.
  void post(UniqueFunction<void()> callback) const { call_soon_threadsafe(std::move(callback)); }

  /// Is the loop gone?
  bool closed() const noexcept;

 private:
  friend class EventLoop;
  explicit LoopHandle(std::shared_ptr<detail::LoopHold> hold) : hold_(std::move(hold)) {}
  std::shared_ptr<detail::LoopHold> hold_;
};

/// A loop that runs tasks, timers and callbacks over one backend.
///
/// Threads: everything but call_soon_threadsafe(), handle() and stop() belongs to one thread, the
/// one that made the loop or has run it since; a call from another throws InvalidStateError.  If
/// that thread has ended, the next one that calls takes the loop over, and so does the thread that
/// first runs the host of a guest, or calls from there.
/// A callback runs on the loop's own stack: it may create tasks and set futures, but not suspend.
class ASYNCIO_API EventLoop {
 public:
  /// Makes a loop on the backend that "auto" chooses.
  /// Throws: BackendError.
  EventLoop();
  /// Makes a loop on this backend.
  /// Throws: std::invalid_argument for null, and for options that make no sense.
  explicit EventLoop(std::unique_ptr<EventLoopInterface> backend, const LoopOptions& options = {});
  /// Cancels and joins what is left, as the end of run(main) does.
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Runs `main` as a task named "main" until it has ended, then cancels and joins every task left
  /// on this loop, and returns or rethrows what main did.  A failure among the leftovers goes to
  /// the exception handler.
  ///
  /// May be called again, even after it threw.
  /// Throws: what main threw; TaskCancelledException if main ended cancelled; NestedRunError;
  /// DeadlockError when nothing could ever wake main; InvalidStateError when stop() ended it first;
  /// what a callback threw while no exception handler is set.
  template <std::invocable F>
  auto run(F&& main) -> detail::BodyResult<F>;

  /// Runs until nothing but tasks and timers in the background is left to wait for, or stop().
  /// Tasks and callbacks that are left stay for the next run.
  /// Throws: NestedRunError; DeadlockError if tasks are left that nothing could ever wake; what a
  /// callback threw while no exception handler is set.
  void run();

  /// Makes one turn: waits until something is ready, unless something is already, and runs it.  It
  /// is for a program that steps the loop by itself.  Tasks and callbacks that are left stay for
  /// the next step or run.
  /// Returns whether anything is left that run() would wait for.
  /// Throws: as run().
  bool run_once();

  /// Makes one turn without waiting: runs what is ready or due by now.  Virtual time does not move.
  /// Returns and throws as run_once(), but does not look for deadlocks.
  bool run_ready();

  /// Makes the current run return once the current callback or task slice has ended; what is queued
  /// stays for the next run.  Outside a run: the next one returns at once.
  /// Threads: any.
  void stop();

  /// As the free create_task(), but works outside any run and in host code too.  The task belongs
  /// to the loop's root, unless the caller is a task of this loop.
  template <std::invocable F>
  auto create_task(F&& body, std::string_view name = {}) -> Task<detail::BodyResult<F>> {
    return detail::spawn(owner_scope(), std::forward<F>(body), name, {}, TaskPriority::work);
  }
  template <std::invocable F>
  auto create_task(F&& body, const TaskOptions& options) -> Task<detail::BodyResult<F>> {
    return detail::spawn(owner_scope(), std::forward<F>(body), options);
  }

  /// As the free notify_closing(), but works outside any run and in host code too.
  void notify_closing(int fd);

  /// As the free create_future(), but works outside any run and in host code too.  Defined in
  /// <asyncio/concurrency/future.h>.
  template <class T>
  Future<T> create_future();

  /// Cancels and joins every task, closes what the root holds, and ends the loop: it takes no more
  /// tasks.  A guest leaves the host's loop first, and then waits by itself for tasks whose cleanup
  /// takes time.  A call from a callback of the loop, inside the host's turn, takes effect at the
  /// end of that turn.
  /// Throws: InvalidStateError in a task, and inside run().
  void shutdown();

  /// Lets go of everything as it is: no task is unwound, no destructor of theirs runs, and what
  /// they hold stays open until the process ends.  A guest leaves its host's loop, which it does
  /// not even touch in a forked child before after_fork().  The loop takes no more calls, and its
  /// destructor does nothing.  For a process that ends at once, or that cannot wait for cleanups.
  /// A forked child that exits need not call this: what is its parent's is never unwound there.
  /// Throws: InvalidStateError in a task or callback of the loop.
  void abandon();

  /// Returns what the host of a guest by descriptor watches.  The descriptor stays the same until
  /// after_fork(); the rest is as of now.  A host that watches the descriptor need not look at it.
  /// Throws: InvalidStateError if the loop is no such guest.
  NativeHandle native_handle() const;

  /// Runs what is ready and due, for about `budget`.  The host of a guest by descriptor calls this.
  /// A task that does not suspend is not cut short.  Inside a task or callback of this loop, where
  /// a host may be running, the call does nothing.  Returns whether work is left; if so, the
  /// descriptor is readable.
  /// Throws: InvalidStateError if the loop is not such a guest, on a thread other than the loop's,
  /// and in a forked child before after_fork().  Never what a task or callback threw.
  bool process(Duration budget = std::chrono::microseconds{500});

  /// Calls `callback` in the next turn, in order.
  void call_soon(UniqueFunction<void()> callback);
  /// Calls `callback` once, after `delay`.  del_timer() revokes it.
  template <DurationLike D>
  TimerId call_later(D delay, UniqueFunction<void()> callback) {
    return start_timer("call_later", to_duration(delay), std::move(callback),
                       {.persistent = false});
  }
  /// Calls `callback` once, at `when` or, if that has passed, in the next turn.
  TimerId call_at(TimePoint when, UniqueFunction<void()> callback);
  /// As EventLoopInterface::add_timer.
  template <DurationLike D>
  TimerId add_timer(D interval, UniqueFunction<void()> callback, bool persistent = true) {
    return start_timer("add_timer", to_duration(interval), std::move(callback),
                       {.persistent = persistent});
  }
  template <DurationLike D>
  TimerId add_timer(D interval, UniqueFunction<void()> callback, const TimerOptions& options) {
    return start_timer("add_timer", to_duration(interval), std::move(callback), options);
  }
  bool del_timer(TimerId id);

  /// As LoopHandle::call_soon_threadsafe.
  /// Threads: any, while the loop is known to live; else use a handle().
  void call_soon_threadsafe(UniqueFunction<void()> callback);
  LoopHandle handle();

  /// Calls `callback` on the loop, with the signal's number, each time `signo` arrives (bursts may
  /// coalesce).  Several handlers for one signal all run; the signal's former disposition comes
  /// back when the last one goes.
  /// Throws: InvalidStateError if another loop has the signal; std::invalid_argument for a number
  /// that is not a signal or cannot be caught.
  std::uint64_t add_signal_handler(int signo, UniqueFunction<void(int)> callback);
  /// Removes one handler by its id, or all those of this loop for a signal number (ids start above
  /// 64).
  bool remove_signal_handler(std::uint64_t id_or_signo);

  /// Sets the handler that hears of failures nobody awaited, callbacks that threw, leftovers at the
  /// end of run, groups destroyed with errors, resources that failed to close, observers and done
  /// callbacks.  Without one, such failures go to stderr, and a callback's exception leaves run().
  /// What the handler itself throws goes to stderr.
  void set_exception_handler(UniqueFunction<void(const ExceptionContext&)> handler);

  EventLoopInterface& backend() noexcept;
  const EventLoopInterface& backend() const noexcept;

  LoopStatistics statistics() const;
  /// The loop's clock: real or virtual.
  TimePoint now() const noexcept;
  /// Every living task, oldest first.
  std::vector<AnyTask> tasks() const;
  /// One paragraph per task: name, state, what it waits for, where.  Runs no task.
  std::string dump() const;

  /// Makes the loop usable in the child of a fork, apart from the parent's.
  /// Throws: BackendError.
  void after_fork();

  /// Is a run in progress?
  bool is_running() const noexcept;

  /// For the library.
  const detail::Rooms& rooms() const noexcept;

 private:
  detail::Scope& owner_scope();
  TimerId start_timer(const char* call, Duration interval, UniqueFunction<void()> callback,
                      const TimerOptions& options);
  detail::Scope& root_scope_for_main();
  void run_main(detail::TaskControl& main);

  std::unique_ptr<detail::Loop> loop_;
};

namespace detail {
/// As get_event_loop().  `call` names the caller.
ASYNCIO_API EventLoop& running_loop_or_throw(const char* call);
}  // namespace detail

/// The loop that runs on this thread.
/// Throws: NoRunningLoopError.
ASYNCIO_API ASYNCIO_API_STABLE EventLoop& get_event_loop();

/// These call the members of the running loop.
/// Throws: NoRunningLoopError.
ASYNCIO_API void call_soon(UniqueFunction<void()> callback);
ASYNCIO_API TimerId call_at(TimePoint when, UniqueFunction<void()> callback);
template <DurationLike D>
TimerId call_later(D delay, UniqueFunction<void()> callback) {
  return detail::running_loop_or_throw("call_later(...)").call_later(delay, std::move(callback));
}

template <std::invocable F>
auto EventLoop::run(F&& main) -> detail::BodyResult<F> {
  auto task =
      detail::spawn(root_scope_for_main(), std::forward<F>(main), "main", {}, TaskPriority::work);
  run_main(task.control());
  detail::check_result(task.control());
  return task.typed_control().value.take();
}

}  // namespace asyncio

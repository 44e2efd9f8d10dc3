// The bridge to C++20's coroutines: a task awaits any awaitable, and a coroutine of any type awaits
// tasks and futures.
//
//   std::string answer = asyncio::await(client.query("..."));  // in a task
//   std::string answer = co_await task;                        // in a coroutine
#pragma once

#include <concepts>
#include <coroutine>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

#include <asyncio/concurrency/future.h>
#include <asyncio/core/detail/of_loop.h>
#include <asyncio/core/detail/slot.h>
#include <asyncio/core/event_loop.h>
#include <asyncio/core/export.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/loop.h>
#include <asyncio/core/lowlevel/wait_queue.h>
#include <asyncio/core/task.h>

namespace asyncio {
namespace detail {

template <class T>
concept Awaiter = requires(T& awaiter, std::coroutine_handle<> coroutine) {
  { awaiter.await_ready() } -> std::convertible_to<bool>;
  awaiter.await_suspend(coroutine);
  awaiter.await_resume();
};

// What `co_await` asks: a member, a free function, or the thing itself.
template <class A>
decltype(auto) awaiter_of(A&& awaitable) {
  if constexpr (requires { std::forward<A>(awaitable).operator co_await(); }) {
    return std::forward<A>(awaitable).operator co_await();
  } else if constexpr (requires { operator co_await(std::forward<A>(awaitable)); }) {
    return operator co_await(std::forward<A>(awaitable));
  } else {
    return std::forward<A>(awaitable);
  }
}

}  // namespace detail

/// Whatever any coroutine may co_await, but for tasks and futures, which await() knows by
/// themselves.
template <class A>
concept Awaitable =
    !std::derived_from<std::remove_cvref_t<A>, AnyTask> &&
    !detail::is_future<std::remove_cvref_t<A>> &&
    detail::Awaiter<std::remove_reference_t<decltype(detail::awaiter_of(std::declval<A>()))>>;

/// An awaitable that can be told to end early: by a member request_stop(), or, if the type is
/// somebody else's, by a free function request_stop(awaitable) in the namespace of the type.  It is
/// called on the loop's thread, perhaps while the awaitable completes on another, and must not
/// throw. The awaitable completes all the same: with a value, or with an exception of its choice.
template <class A>
concept StoppableAwaitable = Awaitable<A> &&(
    requires(std::remove_reference_t<A>& awaitable) { awaitable.request_stop(); } ||
    requires(std::remove_reference_t<A> & awaitable) { request_stop(awaitable); });

namespace detail {

/// A task that waits for what may complete on any thread.
class ASYNCIO_API CoroutineWait {
 public:
  /// Throws: as lowlevel::enter().
  CoroutineWait();
  /// Called once.  The task may go on, and this object go, before it returns.  Threads: any.
  void complete() noexcept;
  /// Whatever is cancelled meanwhile.
  void until_complete() noexcept;
  /// Returns false if a cancel came first.
  bool until_complete_or_cancelled() noexcept;
  [[noreturn]] void throw_cancelled() { self_.throw_cancelled(); }

 private:
  bool park(bool cancellable) noexcept;
  void wake() noexcept;

  lowlevel::CurrentTask self_;
  lowlevel::LoopRef loop_;
  LoopHandle handle_;
  lowlevel::WaitQueue waiting_;
  bool complete_ = false;  // only the loop's thread looks at it
};

[[noreturn]] ASYNCIO_API void throw_coroutine_destroyed();

template <class R>
struct CoroutineResult {
  MaybeValue<R> value;
  std::exception_ptr exception;
  R take() {
    if (exception != nullptr) std::rethrow_exception(exception);
    if (!value.filled()) throw_coroutine_destroyed();
    return value.take();
  }
};

/// The coroutine that awaits on behalf of a task.  It starts at once, and frees itself.
struct AwaitingCoroutine {
  struct promise_type {
    AwaitingCoroutine get_return_object() noexcept { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() noexcept { std::terminate(); }  // it catches all there are
  };
};

// g++ warns of frames of coroutines that hold what only one source knows, though each source makes
// its own of them.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsubobject-linkage"
#endif
template <class A, class R>
AwaitingCoroutine await_for_task(A&& awaitable, CoroutineResult<R>& result, CoroutineWait& wait) {
  struct Complete {  // also if the coroutine is destroyed where it waits
    CoroutineWait& wait;
    ~Complete() { wait.complete(); }
  } at_the_end{wait};
  try {
    auto&& awaiter = awaiter_of(std::forward<A>(awaitable));  // g++ 12 copies what has no name
    if constexpr (std::is_void_v<R>) {
      co_await awaiter;
      result.value.fill([] {});
    } else {
      decltype(auto) got = co_await awaiter;
      result.value.fill([&]() -> R { return static_cast<decltype(got)&&>(got); });
    }
  } catch (...) {
    result.exception = std::current_exception();
  }
}

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

// A value stays one, a reference that may dangle becomes one.
template <class R>
using AwaitedValue = std::conditional_t<std::is_lvalue_reference_v<R>, R, std::remove_cvref_t<R>>;

}  // namespace detail

/// What await() gives for an awaitable.
template <Awaitable A>
using AwaitResult =
    detail::AwaitedValue<decltype(detail::awaiter_of(std::declval<A>()).await_resume())>;

/// Waits for any awaitable and gives its result.  It may complete at once, on the loop, or on
/// another thread.  It is awaited on the task's own stack, up to where it suspends.
///
/// While one is waited for, the loop reckons that another thread may complete it: that nobody will
/// is not found to be a deadlock.
/// Suspends: unless it completes at once.
/// Cancels: Cancelled before it has been awaited.  After that the task waits to the end, for what
/// it waits for refers to its stack; the result is given, and the cancel stays pending.  A
/// StoppableAwaitable is told to end early, and Cancelled is thrown if it then ends with an
/// exception.
/// Throws: what the awaitable throws; ClosedError if it destroys the coroutine that awaits it;
/// NotInTaskError.
/// Cost: two allocations; from another thread, two more.
template <Awaitable A>
AwaitResult<A> await(A&& awaitable) {
  detail::CoroutineWait wait;
  detail::CoroutineResult<AwaitResult<A>> result;
  detail::await_for_task<A>(std::forward<A>(awaitable), result, wait);
  if constexpr (StoppableAwaitable<A>) {
    if (!wait.until_complete_or_cancelled()) {
      [&]() noexcept {
        if constexpr (requires { awaitable.request_stop(); }) {
          awaitable.request_stop();
        } else {
          request_stop(awaitable);
        }
      }();
      wait.until_complete();
      if (result.exception != nullptr) wait.throw_cancelled();
    }
  } else {
    wait.until_complete();
  }
  return result.take();
}

namespace detail {

template <class T>
T awaited_result(const Task<T>& task) {
  check_result(task.control());
  return task.typed_control().value.take();
}
template <class T>
T awaited_result(const Future<T>& future) {
  future.state().check_result();
  return future.state().value.take();
}

/// What a coroutine awaits a task or a future by.  It has to be destroyed on the loop's thread;
/// that of a coroutine which is destroyed while it waits is forgotten.
template <class Handle, class T, bool moves>
class LoopAwaiter {
 public:
  explicit LoopAwaiter(Handle handle) noexcept : handle_(std::move(handle)) {}
  ~LoopAwaiter() {
    const bool waits = waiting_ != nullptr && std::exchange(*waiting_, nullptr) != nullptr;
    if (waits) handle_.remove_done_callback(callback_);
  }
  LoopAwaiter(const LoopAwaiter&) = delete;
  LoopAwaiter& operator=(const LoopAwaiter&) = delete;

  bool await_ready() const { return handle_.is_done(); }

  void await_suspend(std::coroutine_handle<> coroutine) {
    if constexpr (std::derived_from<Handle, AnyTask>) {
      check_here(*handle_.control().scheduler, "co_await", "task");
    }
    waiting_ = std::make_shared<std::coroutine_handle<>>(coroutine);
    callback_ = handle_.add_done_callback([waiting = waiting_] {
      if (*waiting != nullptr) std::exchange(*waiting, nullptr).resume();
    });
  }

  T await_resume() const {
    if constexpr (moves) {
      return awaited_result(handle_);
    } else if constexpr (std::same_as<Handle, AnyTask>) {
      check_result(handle_.control());
    } else {
      return handle_.result();
    }
  }

 private:
  Handle handle_;
  std::uint64_t callback_ = 0;
  std::shared_ptr<std::coroutine_handle<>> waiting_;  // null once it has been resumed, or destroyed
};

}  // namespace detail

/// Has a coroutine of any type wait for a task, and gives a copy of its result; the result of a
/// temporary is moved out.  The coroutine is resumed by a callback of the loop, where it must not
/// call what suspends a task, but may co_await.  If it is destroyed while it waits, the task goes
/// on.
/// Throws: what the body threw; TaskCancelledException if the task ended cancelled;
/// InvalidStateError on another thread than the task's.
/// Threads: the loop's thread; in a task or not.
template <class T>
auto operator co_await(const Task<T>& task) {
  return detail::LoopAwaiter<Task<T>, T, false>{task};
}
template <class T>
auto operator co_await(Task<T>&& task) {
  return detail::LoopAwaiter<Task<T>, T, true>{std::move(task)};
}
/// As above, for a task of any type, without its result.
inline auto operator co_await(const AnyTask& task) {
  return detail::LoopAwaiter<AnyTask, void, false>{task};
}
/// As above, for a future.
template <class T>
auto operator co_await(const Future<T>& future) {
  return detail::LoopAwaiter<Future<T>, T, false>{future};
}
template <class T>
auto operator co_await(Future<T>&& future) {
  return detail::LoopAwaiter<Future<T>, T, true>{std::move(future)};
}

}  // namespace asyncio

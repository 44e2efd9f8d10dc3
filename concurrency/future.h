// Future<T>: a result that somebody will set.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>

#include <asyncio/core/detail/done_callbacks.h>
#include <asyncio/core/detail/slot.h>
#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/event_loop.h>
#include <asyncio/core/export.h>
#include <asyncio/core/lowlevel/loop.h>
#include <asyncio/core/lowlevel/wait_queue.h>
#include <asyncio/core/unique_function.h>

namespace asyncio {
namespace detail {

/// The part of a future that does not depend on T.
class ASYNCIO_API FutureState {
 public:
  /// Throws: NoRunningLoopError.
  FutureState();
  /// Throws: InvalidStateError on a thread other than the loop's.
  explicit FutureState(EventLoop& loop);
  virtual ~FutureState();
  FutureState(const FutureState&) = delete;
  FutureState& operator=(const FutureState&) = delete;

  bool is_done() const noexcept { return done_; }
  /// Throws: InvalidStateError if the future is done, or on another thread; ClosedError if its loop
  /// is gone.
  void check_settable(const char* call) const;
  /// Wakes the tasks that wait.
  void settle() noexcept;
  void set_exception(std::exception_ptr exception);
  bool cancel(std::string_view reason);
  /// Throws what was set; InvalidStateError while nothing is set.
  void check_result();
  /// Waits for the result, or until `deadline` if that is not null.  Returns false if the deadline
  /// came first.  `call` names the caller.
  bool wait(const char* call, const TimePoint* deadline = nullptr);
  std::uint64_t add_done_callback(UniqueFunction<void()> callback);
  bool remove_done_callback(std::uint64_t id) { return static_cast<bool>(callbacks_.take(id)); }

  /// Throws InvalidStateError if it will be set on another loop than runs here.
  void check_awaitable(const char* call) const;
  bool failed() const noexcept { return exception_ != nullptr && !cancelled_; }
  bool was_cancelled() const noexcept { return cancelled_; }
  /// Those to be told when it is done.
  lowlevel::List<CompletionNode>& completions() noexcept { return completions_; }

 private:
  lowlevel::LoopRef loop_;
  lowlevel::WaitQueue waiting_;
  lowlevel::List<CompletionNode> completions_;
  DoneCallbacks callbacks_;
  std::exception_ptr exception_;
  bool done_ = false;
  bool cancelled_ = false;
  bool observed_ = true;  ///< somebody has looked at the exception, or there is none
};

template <class T>
struct TypedFutureState : FutureState {
  using FutureState::FutureState;
  MaybeValue<T> value;
};

}  // namespace detail

template <class T>
class Future;

namespace detail {
template <class T>
inline constexpr bool is_future = false;
template <class T>
inline constexpr bool is_future<Future<T>> = true;
}  // namespace detail

/// A handle of a result that somebody will set: a task, a callback, or a callback posted from
/// another thread.  Copies name the same result.
/// Threads: the loop's thread; from elsewhere set it through call_soon_threadsafe.
template <class T>
class Future {
 public:
  using value_type = T;

  /// Throws: NoRunningLoopError.
  Future() : state_(std::make_shared<detail::TypedFutureState<T>>()) {}
  /// Makes one of `loop`, which need not run: for the callbacks of a host.
  /// Throws: InvalidStateError on a thread other than the loop's.
  explicit Future(EventLoop& loop) : state_(std::make_shared<detail::TypedFutureState<T>>(loop)) {}

  /// Sets the result and wakes the tasks that await it, in order.  Future<void> takes no argument;
  /// set_result({a, b}) makes a T of them.
  /// Suspends: never.
  /// Throws: InvalidStateError if it has been set or cancelled, or from another thread; ClosedError
  /// if its loop is gone.
  void set_result() const requires std::is_void_v<T> {
    state_->check_settable("Future::set_result");
    state_->value.fill([] {});
    state_->settle();
  }
  template <class Value = T>
  requires(!std::is_void_v<T>) void set_result(Value&& value) const {
    state_->check_settable("Future::set_result");
    state_->value.fill([&]() -> T { return static_cast<T>(std::forward<Value>(value)); });
    state_->settle();
  }

  /// As set_result, for a failure.  One that nobody ever looks at goes to the exception handler.
  void set_exception(std::exception_ptr exception) const {
    state_->set_exception(std::move(exception));
  }
  template <class E>
  requires(!std::is_same_v<std::decay_t<E>, std::exception_ptr>) void set_exception(
      E&& exception) const {
    state_->set_exception(std::make_exception_ptr(std::forward<E>(exception)));
  }

  /// Makes await() throw TaskCancelledException.  Returns false if the future was done already.
  bool cancel(std::string_view reason = {}) const { return state_->cancel(reason); }

  bool is_done() const noexcept { return state_->is_done(); }

  /// The result, without waiting.
  /// Throws: what was set; TaskCancelledException; InvalidStateError while nothing is set.
  detail::ResultView<T> result() const {
    state_->check_result();
    return state_->value.get();
  }

  /// Calls `callback`, which may take the future, from the loop once it is done.
  /// Returns an id for remove_done_callback(), or 0 if the future is done.
  template <class F>
  std::uint64_t add_done_callback(F&& callback) const {
    if constexpr (std::is_invocable_v<std::decay_t<F>&, Future>) {
      return state_->add_done_callback(
          [self = *this, f = std::forward<F>(callback)]() mutable { std::invoke(f, self); });
    } else {
      return state_->add_done_callback(UniqueFunction<void()>{std::forward<F>(callback)});
    }
  }

  /// Takes a callback of this future out again.  Returns false if the future is done, or there is
  /// none with this id.
  bool remove_done_callback(std::uint64_t id) const { return state_->remove_done_callback(id); }

  /// For the library.
  detail::TypedFutureState<T>& state() const noexcept { return *state_; }

 private:
  std::shared_ptr<detail::TypedFutureState<T>> state_;
};

/// Makes a future of this thread's loop.
/// Throws: NoRunningLoopError.
template <class T>
Future<T> create_future() {
  return Future<T>{};
}

template <class T>
Future<T> EventLoop::create_future() {
  return Future<T>{*this};
}

/// Waits for a future and returns a copy of its result.
/// Suspends: unless it is done.
/// Cancels: Cancelled; the future stays as it is.
/// Throws: what was set; TaskCancelledException if it was cancelled; NotInTaskError.
template <class T>
T await(const Future<T>& future) {
  const Future<T> keep = future;
  keep.state().wait("await");
  keep.state().check_result();
  return std::as_const(keep.state().value).get();
}

/// As above, but moves the result out: for results that cannot be copied.
template <class T>
T await(Future<T>&& future) {
  const Future<T> keep = std::move(future);
  keep.state().wait("await");
  keep.state().check_result();
  return keep.state().value.take();
}

}  // namespace asyncio

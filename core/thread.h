// Blocking calls: on a worker thread, while the task waits.
#pragma once

#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

#include <asyncio/core/detail/slot.h>
#include <asyncio/core/export.h>
#include <asyncio/core/lowlevel/thread_lane.h>
#include <asyncio/core/unique_function.h>

namespace asyncio {

/// Tag: let go of the thread when the task is cancelled.
struct Abandon {
  explicit constexpr Abandon() = default;
};
inline constexpr Abandon abandon{};

namespace detail {

/// The lane of calls that name none.
ASYNCIO_API const lowlevel::ThreadLane& common_lane() noexcept;

/// Runs `work`, which must not throw, on a thread of `lane` and waits for it.  With
/// `wait_to_the_end` no cancel is delivered meanwhile.  Without it a cancel throws Cancelled, and
/// `work` goes on by itself.
ASYNCIO_API void run_on_thread(const lowlevel::ThreadLane& lane, UniqueFunction<void()> work,
                               bool wait_to_the_end);

/// What a callable on another thread returned or threw.
template <class R>
class ThreadResult {
 public:
  template <class F>
  void capture(F& callable) noexcept {
    try {
      value_.fill([&]() -> R { return std::invoke(callable); });
    } catch (...) {
      exception_ = std::current_exception();
    }
  }
  R take() {
    if (exception_ != nullptr) std::rethrow_exception(exception_);
    return value_.take();
  }

 private:
  MaybeValue<R> value_;
  std::exception_ptr exception_;
};

}  // namespace detail

/// Runs `callable` on a thread of `lane` and returns its result.  It inherits the task's context,
/// as a new task would.
/// Suspends: always.
/// Cancels: waits for the thread all the same, returns the result, and leaves the cancel pending,
/// because the callable may use what is on the task's stack.
/// Throws: what the callable threw; NotInTaskError; std::system_error if no thread can be started.
template <std::invocable F>
auto to_thread(const lowlevel::ThreadLane& lane, F&& callable)
    -> std::invoke_result_t<std::decay_t<F>&> {
  using R = std::invoke_result_t<std::decay_t<F>&>;
  detail::ThreadResult<R> result;
  std::decay_t<F> work{std::forward<F>(callable)};
  detail::run_on_thread(
      lane, [&] { result.capture(work); }, true);
  return result.take();
}

/// As above, on a thread of the lane that most calls share (at most 32).
template <std::invocable F>
auto to_thread(F&& callable) -> std::invoke_result_t<std::decay_t<F>&> {
  return to_thread(detail::common_lane(), std::forward<F>(callable));
}

/// As above, but a cancelled task lets go at once: the callable goes on by itself, and its result
/// or exception is dropped.  It must not refer to anything that belongs to the task.
template <std::invocable F>
auto to_thread(const lowlevel::ThreadLane& lane, Abandon, F&& callable)
    -> std::invoke_result_t<std::decay_t<F>&> {
  using R = std::invoke_result_t<std::decay_t<F>&>;
  struct Job {
    std::decay_t<F> work;
    detail::ThreadResult<R> result;
  };
  std::shared_ptr<Job> job{new Job{std::forward<F>(callable), {}}};
  detail::run_on_thread(
      lane, [job] { job->result.capture(job->work); }, false);
  return job->result.take();
}

/// As above, on a thread of the lane that most calls share.
template <std::invocable F>
auto to_thread(Abandon, F&& callable) -> std::invoke_result_t<std::decay_t<F>&> {
  return to_thread(detail::common_lane(), abandon, std::forward<F>(callable));
}

}  // namespace asyncio

// wait_for(): a task, a future or a callable, with a time limit.
#pragma once

#include <type_traits>
#include <utility>

#include <asyncio/concurrency/detail/awaited.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/export.h>
#include <asyncio/core/task.h>
#include <asyncio/core/time.h>

namespace asyncio {
namespace detail {

/// Joins `target`.  When `limit` has passed or the caller is cancelled, cancels it first.
/// Throws: TimeoutException if it ended cancelled because the time ran out; Cancelled.
ASYNCIO_API void wait_for_task(TaskControl& target, Duration limit);
/// Waits for `target`, and leaves it as it is if `limit` passes.
/// Throws: TimeoutException; Cancelled.
ASYNCIO_API void wait_for_future(FutureState& target, Duration limit);
/// Returns the result of what has ended: a copy, or moved out of an rvalue.  No checkpoint.
template <class A>
typename ResultOf<std::remove_cvref_t<A>>::type ended_result(A&& handle) {
  using Handle = std::remove_cvref_t<A>;
  using T = typename ResultOf<Handle>::type;
  Awaited{std::as_const(handle)}.check_result();
  if constexpr (std::is_void_v<T>) {
    return;
  } else if constexpr (std::is_same_v<A, Handle>) {
    return result_slot(handle).take();
  } else {
    return std::as_const(result_slot(handle)).get();
  }
}

/// To be called before a callable becomes a task.  Throws Cancelled; TimeoutException if it has no
/// time at all.
ASYNCIO_API void check_has_time(Duration limit);

}  // namespace detail

/// Waits for a task or a future, or runs a callable as a child task, for at most `limit`, and
/// returns the result.
///
/// When the time runs out, the task is cancelled and joined.  If it still ends with a value, that
/// is returned; if it fails, the failure is thrown.  A task that has ended is never late.  A
/// callable with no time at all never runs, nor does one whose caller is already cancelled.  A
/// future is not its caller's to cancel: it stays as it is.
/// Suspends: unless the task has ended.
/// Cancels: the task is cancelled and joined, then Cancelled goes on.
/// Throws: TimeoutException; as await(); std::invalid_argument for NaN.
template <class A, DurationLike D>
ASYNCIO_API_STABLE decltype(auto) wait_for(A&& task_or_callable, D limit) {
  const Duration time = to_duration(limit);
  if constexpr (TaskOrFuture<std::remove_cvref_t<A>>) {
    auto keep = std::remove_cvref_t<A>{std::forward<A>(task_or_callable)};
    if constexpr (detail::is_future<std::remove_cvref_t<A>>) {
      detail::wait_for_future(keep.state(), time);
    } else {
      detail::wait_for_task(keep.control(), time);
    }
    return detail::ended_result(std::forward<A>(keep));
  } else {
    detail::check_has_time(time);
    auto task = create_task(std::forward<A>(task_or_callable));
    detail::wait_for_task(task.control(), time);
    return detail::ended_result(std::move(task));
  }
}

}  // namespace asyncio

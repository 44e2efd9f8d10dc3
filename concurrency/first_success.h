// first_success(): several ways to one result, of which the first that succeeds is taken.
#pragma once

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>
#include <vector>

#include <asyncio/concurrency/detail/awaited.h>
#include <asyncio/core/export.h>
#include <asyncio/core/task.h>

namespace asyncio {
namespace detail {

/// Returns the place of the first input that succeeded, once all have ended.
/// Throws: as first_success().
ASYNCIO_API std::size_t wait_for_success(const std::vector<Awaited>& inputs);

}  // namespace detail

/// Waits for the first input that ends with a result, cancels and joins the others, and returns
/// that result.  What the others threw is dropped, as long as one succeeds: they are only other
/// ways to the same end.
/// Suspends: unless one has succeeded and the others have ended.
/// Cancels: the unfinished inputs are cancelled and joined, then Cancelled goes on.
/// Throws: GatherException with every failure if none succeeds; std::invalid_argument for no
/// inputs; otherwise as gather().
template <TaskOrFuture A>
typename detail::ResultOf<A>::type first_success(std::vector<A> inputs) {
  using T = typename detail::ResultOf<A>::type;
  const std::size_t place = detail::wait_for_success(detail::awaited_all(inputs));
  if constexpr (std::is_copy_constructible_v<T>) {
    return std::as_const(detail::result_slot(inputs[place])).get();  // as gather() does
  } else if constexpr (!std::is_void_v<T>) {
    return detail::result_slot(inputs[place]).take();
  }
}
template <TaskOrFuture A, std::same_as<A>... Others>
typename detail::ResultOf<A>::type first_success(A first, Others... others) {
  return first_success(std::vector<A>{std::move(first), std::move(others)...});
}

}  // namespace asyncio

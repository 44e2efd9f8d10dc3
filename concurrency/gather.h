// gather(): the results of several tasks and futures, in the order they were given.
#pragma once

#include <any>
#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <asyncio/concurrency/detail/awaited.h>
#include <asyncio/concurrency/gather_strategy.h>
#include <asyncio/core/exception_group.h>
#include <asyncio/core/export.h>
#include <asyncio/core/task.h>

namespace asyncio {
namespace detail {

/// The part of gather() that does not depend on types.
struct GatherReport {
  std::vector<GatherException::Input> inputs;  ///< results not filled in
  std::vector<std::size_t> failed;             ///< input indices, in the order they failed
};

/// Waits for `inputs` as `strategy` says.  Fills `report` only if an input failed.
/// Throws: as gather().
ASYNCIO_API bool gather_wait(const std::vector<Awaited>& inputs, GatherStrategy strategy,
                             GatherReport& report);

/// How a result is held in a tuple or vector.
template <class T>
struct GatheredAs {
  using type = T;
};
template <>
struct GatheredAs<void> {
  using type = std::monostate;
};
template <class T>
struct GatheredAs<T&> {
  using type = std::reference_wrapper<T>;
};
template <TaskOrFuture A>
using Gathered = typename GatheredAs<typename ResultOf<A>::type>::type;

template <TaskOrFuture A>
Gathered<A> take_result(const A& input) {
  using T = typename ResultOf<A>::type;
  if constexpr (std::is_void_v<T>) {
    return {};
  } else if constexpr (std::is_reference_v<T>) {
    return std::ref(result_slot(input).get());
  } else if constexpr (std::is_copy_constructible_v<T>) {
    return std::as_const(result_slot(input)).get();  // the caller may hold, and ask, other handles
  } else {
    return result_slot(input).take();
  }
}

template <TaskOrFuture A>
std::any any_result(const A& input) {
  if constexpr (std::is_constructible_v<std::any, Gathered<A>> &&
                std::is_copy_constructible_v<Gathered<A>>) {
    return std::any{take_result(input)};
  } else {
    return std::any{std::make_shared<Gathered<A>>(take_result(input))};
  }
}

template <TaskOrFuture A>
void fill_report(GatherReport& report, std::size_t index, const A& handle) {
  GatherException::Input& input = report.inputs[index];
  if (input.exception == nullptr) input.result = any_result(handle);
}

template <TaskOrFuture A>
std::optional<Gathered<A>> partial_result(const A& handle) {
  const Awaited input{handle};
  if (input.failed() || input.was_cancelled()) return std::nullopt;
  return take_result(handle);
}

template <GatherStrategy S, TaskOrFuture... A>
auto gather_pack(const A&... handles) {
  const std::vector<Awaited> inputs{Awaited{handles}...};
  GatherReport report;
  const bool failed = gather_wait(inputs, S, report);
  if constexpr (S == GatherStrategy::return_partial) {
    return std::tuple<std::optional<Gathered<A>>...>{partial_result(handles)...};
  } else {
    if (failed) {
      [[maybe_unused]] std::size_t index = 0;
      (fill_report(report, index++, handles), ...);
      throw GatherException(std::move(report.inputs), report.failed);
    }
    return std::tuple<Gathered<A>...>{take_result(handles)...};
  }
}

template <GatherStrategy S, TaskOrFuture A>
auto gather_vector(const std::vector<A>& handles) {
  GatherReport report;
  const bool failed = gather_wait(awaited_all(handles), S, report);
  const auto each = [&](auto&& result_of) {
    std::vector<decltype(result_of(handles.front()))> results;
    results.reserve(handles.size());
    for (const A& handle : handles) results.push_back(result_of(handle));
    return results;
  };
  if constexpr (S == GatherStrategy::return_partial) {
    return each([](const A& handle) { return partial_result(handle); });
  } else {
    if (failed) {
      for (std::size_t i = 0; i < handles.size(); ++i) fill_report(report, i, handles[i]);
      throw GatherException(std::move(report.inputs), report.failed);
    }
    return each([](const A& handle) { return take_result(handle); });
  }
}

}  // namespace detail

/// Waits for every task and returns their results as a tuple, in the order of the arguments.  void
/// becomes std::monostate, and a reference becomes std::reference_wrapper.  Results that cannot be
/// copied are moved out of their tasks.
///
/// fail_fast (the default): the first failure cancels the other inputs and joins them before it is
/// thrown.  wait_all: waits for all, then throws if any failed.  return_partial: returns a
/// std::optional in each place, nullopt for an input that failed; the failures go to the exception
/// handler.  An input that somebody else cancelled counts as a failure.
/// Suspends: unless every input has ended.
/// Cancels: the unfinished inputs are cancelled and joined, then Cancelled goes on.
/// Throws: GatherException; DeadlockError if the caller is among the inputs, or if one of them
/// awaits it; InvalidStateError for an input of another loop; NotInTaskError outside a task (but
/// gather() of nothing is fine anywhere).
template <GatherStrategy S = GatherStrategy::fail_fast, class... T>
ASYNCIO_API_STABLE auto gather(Task<T>... tasks) {
  return detail::gather_pack<S>(tasks...);
}

/// The same for tasks of one type; the results are a vector.
template <GatherStrategy S = GatherStrategy::fail_fast, class T>
ASYNCIO_API_STABLE auto gather(std::vector<Task<T>> tasks) {
  return detail::gather_vector<S>(tasks);
}

/// The same for inputs that are not all tasks with a result: futures and AnyTasks may be among
/// them.  A future is not its caller's to cancel: one that is not set in time stays as it is, and
/// counts as cancelled.
template <GatherStrategy S = GatherStrategy::fail_fast, TaskOrFuture... A>
requires(!(detail::is_task<A> && ...)) auto gather(A... inputs) {
  return detail::gather_pack<S>(inputs...);
}
template <GatherStrategy S = GatherStrategy::fail_fast, TaskOrFuture A>
requires(!detail::is_task<A>) auto gather(std::vector<A> inputs) {
  return detail::gather_vector<S>(inputs);
}

}  // namespace asyncio

// gather(): the results of several tasks, in the order the tasks were given.
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
ASYNCIO_API bool gather_wait(const std::vector<TaskControl*>& inputs, GatherStrategy strategy,
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
template <class T>
using Gathered = typename GatheredAs<T>::type;

template <class T>
Gathered<T> take_result(const Task<T>& task) {
  auto& slot = task.typed_control().value;
  if constexpr (std::is_void_v<T>) {
    return {};
  } else if constexpr (std::is_reference_v<T>) {
    return std::ref(slot.get());
  } else if constexpr (std::is_copy_constructible_v<T>) {
    return std::as_const(slot).get();  // the caller may hold, and ask, other handles
  } else {
    return slot.take();
  }
}

template <class T>
std::any any_result(const Task<T>& task) {
  if constexpr (std::is_constructible_v<std::any, Gathered<T>> &&
                std::is_copy_constructible_v<Gathered<T>>) {
    return std::any{take_result(task)};
  } else {
    return std::any{std::make_shared<Gathered<T>>(take_result(task))};
  }
}

template <class T>
void fill_report(GatherReport& report, std::size_t index, const Task<T>& task) {
  GatherException::Input& input = report.inputs[index];
  if (input.exception == nullptr) input.result = any_result(task);
}

template <class T>
std::optional<Gathered<T>> partial_result(const Task<T>& task) {
  if (task.state() != TaskState::completed) return std::nullopt;
  return take_result(task);
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
/// awaits it; NotInTaskError outside a task (but gather() of nothing is fine anywhere).
template <GatherStrategy S = GatherStrategy::fail_fast, class... T>
ASYNCIO_API_STABLE auto gather(Task<T>... tasks) {
  std::vector<detail::TaskControl*> inputs{&tasks.control()...};
  detail::GatherReport report;
  const bool failed = detail::gather_wait(inputs, S, report);
  if constexpr (S == GatherStrategy::return_partial) {
    return std::tuple<std::optional<detail::Gathered<T>>...>{detail::partial_result(tasks)...};
  } else {
    if (failed) {
      [[maybe_unused]] std::size_t index = 0;
      (detail::fill_report(report, index++, tasks), ...);
      throw GatherException(std::move(report.inputs), report.failed);
    }
    return std::tuple<detail::Gathered<T>...>{detail::take_result(tasks)...};
  }
}

/// The same for tasks of one type; the results are a vector.
template <GatherStrategy S = GatherStrategy::fail_fast, class T>
ASYNCIO_API_STABLE auto gather(std::vector<Task<T>> tasks) {
  std::vector<detail::TaskControl*> inputs;
  inputs.reserve(tasks.size());
  for (const Task<T>& task : tasks) inputs.push_back(&task.control());
  detail::GatherReport report;
  const bool failed = detail::gather_wait(inputs, S, report);
  if constexpr (S == GatherStrategy::return_partial) {
    std::vector<std::optional<detail::Gathered<T>>> results;
    results.reserve(tasks.size());
    for (const Task<T>& task : tasks) results.push_back(detail::partial_result(task));
    return results;
  } else {
    if (failed) {
      for (std::size_t i = 0; i < tasks.size(); ++i) detail::fill_report(report, i, tasks[i]);
      throw GatherException(std::move(report.inputs), report.failed);
    }
    std::vector<detail::Gathered<T>> results;
    results.reserve(tasks.size());
    for (const Task<T>& task : tasks) results.push_back(detail::take_result(task));
    return results;
  }
}

}  // namespace asyncio

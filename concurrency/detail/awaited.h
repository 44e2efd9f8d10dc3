// What gather(), wait() and their like wait for: tasks and futures alike.
#pragma once

#include <concepts>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <asyncio/concurrency/future.h>
#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/export.h>
#include <asyncio/core/task.h>

namespace asyncio {

/// A handle of a task or a future: what can be waited for together with others.
template <class A>
concept TaskOrFuture = std::derived_from<A, AnyTask> || detail::is_future<A>;

namespace detail {

/// A task or a future, whatever its type.  The caller's handle keeps it alive.
class ASYNCIO_API Awaited {
 public:
  template <TaskOrFuture A>
  explicit Awaited(const A& handle) {
    if constexpr (is_future<A>) {
      future_ = &handle.state();
    } else {
      task_ = &handle.control();
    }
  }
  explicit Awaited(TaskControl& task) noexcept : task_(&task) {}
  explicit Awaited(FutureState& future) noexcept : future_(&future) {}

  bool done() const noexcept;
  /// Has it ended with an exception of its own?
  bool failed() const noexcept;
  /// Has it ended cancelled?
  bool was_cancelled() const noexcept;
  lowlevel::List<CompletionNode>& completions() const noexcept;
  std::string name() const;
  /// Throws unless it has ended with a result; counts as having looked.
  void check_result() const;

  /// Null for a future.
  TaskControl* task() const noexcept { return task_; }
  FutureState* future() const noexcept { return future_; }
  /// The same for two handles of one thing.
  const void* identity() const noexcept;

 private:
  TaskControl* task_ = nullptr;
  FutureState* future_ = nullptr;
};

template <TaskOrFuture A>
std::vector<Awaited> awaited_all(const std::vector<A>& handles) {
  std::vector<Awaited> inputs;
  inputs.reserve(handles.size());
  for (const A& handle : handles) inputs.emplace_back(handle);
  return inputs;
}

/// Throws as check_awaitable() of tasks does, and InvalidStateError for a future of another loop.
/// Returns the tasks among `inputs`.
ASYNCIO_API std::vector<TaskControl*> check_all_awaitable(TaskControl& self,
                                                          const std::vector<Awaited>& inputs,
                                                          const char* call);

template <class A>
inline constexpr bool is_task = false;
template <class T>
inline constexpr bool is_task<Task<T>> = true;

/// Where the result of a handle is.
template <class T>
auto& result_slot(const Task<T>& task) {
  return task.typed_control().value;
}
template <class T>
auto& result_slot(const Future<T>& future) {
  return future.state().value;
}
/// The type of a handle's result.
template <class A>
struct ResultOf {
  using type = void;
};
template <class A>
requires requires { typename A::value_type; }
struct ResultOf<A> {
  using type = typename A::value_type;
};

}  // namespace detail
}  // namespace asyncio

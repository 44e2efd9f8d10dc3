// TaskStatus: how a task that TaskGroup::start() has made says that it is ready.
#pragma once

#include <concepts>
#include <exception>
#include <type_traits>
#include <utility>

#include <asyncio/concurrency/future.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/export.h>
#include <asyncio/core/task.h>

namespace asyncio {

/// Given to the body of a task that somebody waits for to be ready, such as a server that listens
/// from now on.  Copies name the same task.
/// Threads: the loop's thread.
template <class T = void>
class TaskStatus {
 public:
  explicit TaskStatus(Future<T> ready) noexcept : ready_(std::move(ready)) {}

  /// Makes start() return, with this value; TaskStatus<void> takes none.
  /// Suspends: never.
  /// Throws: InvalidStateError the second time.
  template <class... Value>
  requires(sizeof...(Value) == (std::is_void_v<T> ? 0 : 1)) void started(Value&&... value) const {
    if (ready_.is_done()) {
      throw InvalidStateError("TaskStatus::started() was called before: a task is ready once");
    }
    ready_.set_result(std::forward<Value>(value)...);
  }

 private:
  Future<T> ready_;
};

namespace detail {

/// Waits until `ready` is set or `child` has ended.  If the caller is cancelled, so is the child,
/// and it is joined.
/// Throws: Cancelled; TaskCancelledException if the child ended cancelled before it was ready.
ASYNCIO_API void wait_until_started(FutureState& ready, TaskControl& child);
/// Settles `ready` for a child that has returned without having been ready.
ASYNCIO_API void settle_unstarted(FutureState& ready);

/// The body of a child: what it throws before it is ready is for start(), and no failure of its
/// own.
template <class T, class F>
void run_until_ended(const Future<T>& ready, F& body) {
  try {
    std::invoke(body, TaskStatus<T>{ready});
  } catch (const Cancelled&) {
    throw;
  } catch (...) {
    if (ready.is_done()) throw;
    ready.set_exception(std::current_exception());
    return;
  }
  settle_unstarted(ready.state());
}

}  // namespace detail
}  // namespace asyncio

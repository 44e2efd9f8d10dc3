// TaskGroup: tasks that live and die together.
#pragma once

#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <asyncio/concurrency/task_status.h>
#include <asyncio/core/detail/scope.h>
#include <asyncio/core/detail/slot.h>
#include <asyncio/core/export.h>
#include <asyncio/core/task.h>

namespace asyncio {

namespace detail {

/// A scope that reacts to its children's failures.
struct ASYNCIO_API GroupScope : Scope {
  explicit GroupScope(Scheduler& owner) noexcept;
  /// Records a failure, in the order of happening, and cancels the rest.
  void fail(std::exception_ptr exception);
  /// Throws an ExceptionGroup of the failures, if there are any; only once.
  void throw_failures();
  /// Passes failures that nobody fetched to the loop's exception handler.
  void report_failures() noexcept;
  /// Makes the scope own itself: it frees itself once it has ended.
  void outlive_owner() noexcept;

  std::vector<std::exception_ptr> failures;
  bool closed = false;  ///< takes no more tasks
};

}  // namespace detail

/// Owns the tasks spawned into it.  The first that fails cancels the others; wait_all() joins them
/// all and throws every failure as one ExceptionGroup.  A child that is cancelled on its own does
/// not count as a failure.
///
/// A group that is an object cannot interrupt its owner: it reports at wait_all().  run() is the
/// nursery form, where a failing child also interrupts the body.  A group is cancelled and joined
/// with the scope it was made in, at the latest; failures nobody fetched by then go to the loop's
/// exception handler.
///
/// Threads: the loop's thread.
class ASYNCIO_API ASYNCIO_API_STABLE TaskGroup {
 public:
  /// Throws: NotInTaskError outside a task.
  TaskGroup();
  /// Cancels and joins what is left, even if a cancel is pending for the caller.  Failures nobody
  /// fetched go to the loop's exception handler.
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  /// Runs `body(group)`, then joins every child and returns the body's result.
  ///
  /// A failing child makes the body's next suspending call throw Cancelled; a failing body cancels
  /// the children.
  /// Throws: ExceptionGroup with every failure, the body's own among them, in the order they
  /// happened; TaskCancelledException if cancel() interrupted the body; TimeoutException if the
  /// deadline given to its scope did; Cancelled if the caller is being cancelled and nothing
  /// failed.
  template <class F>
  static auto run(F&& body) -> std::invoke_result_t<F&, TaskGroup&>;

  /// Starts a task in the group.
  /// Throws: InvalidStateError once the group is closed, has failed, or has been joined, or from
  /// another thread; the body is then destroyed.
  template <std::invocable F>
  auto spawn(F&& body, std::string_view name = {}) -> Task<detail::BodyResult<F>> {
    check_open();
    return detail::spawn(*scope_, std::forward<F>(body), name, {}, TaskPriority::work);
  }
  template <std::invocable F>
  auto spawn(F&& body, const TaskOptions& options) -> Task<detail::BodyResult<F>> {
    check_open();
    return detail::spawn(*scope_, std::forward<F>(body), options);
  }

  /// Starts a task in the group and waits until it says that it is ready, with
  /// `status.started(value)`; returns that value.  The task goes on as any other child.
  ///
  /// `body` takes a TaskStatus<T>; what it returns is dropped:
  /// `const int port = group.start<int>([](TaskStatus<int> status) { ... });`
  /// Suspends: always.
  /// Cancels: the task is cancelled and joined, then Cancelled goes on.
  /// Throws: what the task threw before it was ready, which is no failure of the group then;
  /// InvalidStateError if it returned without a call of started(), and as spawn();
  /// TaskCancelledException if it ended cancelled before; NotInTaskError.
  template <class T = void, std::invocable<TaskStatus<T>> F>
  T start(F&& body, std::string_view name = {});

  /// Joins every child, even those spawned meanwhile, and closes the group.  When only children in
  /// the background are left, cancels them first.
  /// Suspends: unless no child is alive.
  /// Cancels: the children are cancelled and joined first; a child's real failure wins over the
  /// cancel, which stays pending.
  /// Throws: ExceptionGroup; Cancelled; NotInTaskError.
  void wait_all();

  /// Cancels every child.  Idempotent.  Suspends: never.
  void cancel(std::string_view reason = {});
  /// Makes the group take no more tasks.
  void close() noexcept { scope_->closed = true; }

  /// The children that are alive.
  std::size_t task_count() const noexcept { return scope_->living; }
  std::vector<AnyTask> tasks() const;
  bool is_closed() const noexcept { return scope_->closed || scope_->ending || scope_->ended; }
  /// Has the group been cancelled: by cancel(), by a failure, or from outside?
  bool is_cancelled() const noexcept { return scope_->effective; }

 private:
  struct Nursery {};
  explicit TaskGroup(Nursery);
  void check_open() const;
  void join_shielded(detail::TaskControl& self);
  /// Cancels and joins what is left once every other child has ended.
  void end_background(detail::TaskControl& self);
  /// Ends a nursery: joins, leaves, throws the failures.  Returns whether a cancel from outside cut
  /// the join short.
  bool join_and_leave();
  void finish();
  /// `interrupted` is the cancel that unwound the body, or null if the body failed.
  [[noreturn]] void finish_without_result(std::exception_ptr interrupted);
  void fail_body(std::exception_ptr exception);

  std::unique_ptr<detail::GroupScope> scope_;
};

template <class T, std::invocable<TaskStatus<T>> F>
T TaskGroup::start(F&& body, std::string_view name) {
  const Future<T> ready = create_future<T>();
  const AnyTask child = spawn(
      [ready, body = std::decay_t<F>(std::forward<F>(body))]() mutable {
        detail::run_until_ended(ready, body);
      },
      name);
  detail::wait_until_started(ready.state(), child.control());
  ready.state().check_result();
  return ready.state().value.take();
}

template <class F>
auto TaskGroup::run(F&& body) -> std::invoke_result_t<F&, TaskGroup&> {
  using R = std::invoke_result_t<F&, TaskGroup&>;
  TaskGroup group{Nursery{}};
  detail::MaybeValue<R> result;
  std::exception_ptr interrupted;
  bool returned = false;
  try {
    result.fill([&]() -> R { return std::invoke(body, group); });
    returned = true;
  } catch (const Cancelled&) {
    interrupted = std::current_exception();
  } catch (...) {
    group.fail_body(std::current_exception());
  }
  if (!returned) group.finish_without_result(std::move(interrupted));
  group.finish();
  return result.take();
}

}  // namespace asyncio

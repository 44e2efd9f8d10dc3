// wait(), wait_any() and as_completed(): waiting for several tasks and futures without cancelling
// any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

#include <asyncio/concurrency/detail/awaited.h>
#include <asyncio/core/export.h>
#include <asyncio/core/task.h>

namespace asyncio {

/// When wait() returns.
enum class ReturnWhen : std::uint8_t {
  first_completed,  ///< as soon as one input has ended, however
  first_exception,  ///< as soon as one has failed, or all have ended
  all_completed,
};

/// What wait() returns, each list in input order.
template <TaskOrFuture A>
struct Waited {
  std::vector<A> done;
  std::vector<A> pending;
};
template <class T>
using WaitResult = Waited<Task<T>>;

/// The same for inputs of different types: their places in the call.
struct WaitedPlaces {
  std::vector<std::size_t> done;
  std::vector<std::size_t> pending;
};

namespace detail {
/// Returns the place of the first input that ended.
/// Throws: as wait().
ASYNCIO_API std::size_t wait_for_some(const std::vector<Awaited>& inputs, ReturnWhen when,
                                      const char* call);
/// Throws: as wait_any().
ASYNCIO_API std::size_t wait_for_any(const std::vector<Awaited>& inputs);

/// Collects tasks in the order they end.
class ASYNCIO_API CompletionOrder {
 public:
  /// Requires: the inputs live as long as this.
  /// Throws: as as_completed().
  explicit CompletionOrder(std::vector<TaskControl*> inputs);
  ~CompletionOrder();
  CompletionOrder(const CompletionOrder&) = delete;
  CompletionOrder& operator=(const CompletionOrder&) = delete;

  /// Returns the index of the next input to have ended.  Suspends until there is one.
  /// Requires: fewer calls than inputs.
  std::size_t next();

 private:
  struct Member;
  std::vector<TaskControl*> inputs_;
  std::vector<std::unique_ptr<Member>> members_;
  std::deque<std::size_t> ended_;
  lowlevel::Waiter* waiter_ = nullptr;
};
}  // namespace detail

/// Waits until `when` holds for tasks or futures of one type.  Cancels nothing, even if the caller
/// is cancelled.  Of nothing, it returns at once, outside a task too.
/// Suspends: unless it holds already.
/// Cancels: Cancelled; the tasks go on.
/// Throws: DeadlockError; InvalidStateError for an input of another loop; NotInTaskError.
template <TaskOrFuture A>
Waited<A> wait(std::vector<A> inputs, ReturnWhen when = ReturnWhen::all_completed) {
  detail::wait_for_some(detail::awaited_all(inputs), when, "wait");
  Waited<A> result;
  for (A& input : inputs) {
    (detail::Awaited{input}.done() ? result.done : result.pending).push_back(std::move(input));
  }
  return result;
}

/// The same for tasks and futures of any types:
/// `auto [done, pending] = wait<ReturnWhen::first_completed>(task, other, future);`
template <ReturnWhen when = ReturnWhen::all_completed, TaskOrFuture... A>
WaitedPlaces wait(const A&... handles) {
  const std::vector<detail::Awaited> inputs{detail::Awaited{handles}...};
  detail::wait_for_some(inputs, when, "wait");
  WaitedPlaces places;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    (inputs[i].done() ? places.done : places.pending).push_back(i);
  }
  return places;
}

/// Waits for the first of several tasks and futures to end, however it ends, and returns its place
/// in the call, from 0: `switch (wait_any(answer, stop)) ...`  If several have ended before, it is
/// the first of those in the call.
/// Suspends, cancels and throws: as wait(); std::invalid_argument for an empty vector.
template <TaskOrFuture... A>
requires(sizeof...(A) != 0) std::size_t wait_any(const A&... handles) {
  return detail::wait_for_any({detail::Awaited{handles}...});
}
template <TaskOrFuture A>
std::size_t wait_any(const std::vector<A>& handles) {
  return detail::wait_for_any(detail::awaited_all(handles));
}

/// The tasks, as a range, in the order they end:
/// `for (auto& task : as_completed(std::move(tasks))) use(await(task));`
///
/// The range allows one pass.  Stepping to the next task suspends until it has ended.  The handle
/// is the loop's own to use up: `await(std::move(task))` moves the result out.
template <class T>
class AsCompleted {
 public:
  explicit AsCompleted(std::vector<Task<T>> tasks)
      : tasks_(std::move(tasks)), order_(std::make_unique<detail::CompletionOrder>(controls())) {}

  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using iterator_category = std::input_iterator_tag;
    using value_type = Task<T>;
    using difference_type = std::ptrdiff_t;
    using reference = Task<T>&;
    using pointer = void;

    explicit Iterator(AsCompleted& range) : range_(&range), left_(range.tasks_.size()) { fetch(); }
    Task<T>& operator*() const { return range_->current_; }
    Iterator& operator++() {
      --left_;
      fetch();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const noexcept { return left_ == 0; }

   private:
    void fetch() {
      if (left_ != 0) range_->current_ = range_->tasks_[range_->order_->next()];
    }
    AsCompleted* range_;
    std::size_t left_;
  };

  Iterator begin() { return Iterator{*this}; }
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  std::vector<detail::TaskControl*> controls() const {
    std::vector<detail::TaskControl*> inputs;
    for (const Task<T>& task : tasks_) inputs.push_back(&task.control());
    return inputs;
  }

  std::vector<Task<T>> tasks_;  // kept, whatever becomes of the handles given out
  std::unique_ptr<detail::CompletionOrder> order_;
  Task<T> current_;
};

/// Throws: DeadlockError if the caller is among the tasks, or if one of them awaits it;
/// InvalidStateError for a task of another loop.
template <class T>
AsCompleted<T> as_completed(std::vector<Task<T>> tasks) {
  return AsCompleted<T>{std::move(tasks)};
}

}  // namespace asyncio

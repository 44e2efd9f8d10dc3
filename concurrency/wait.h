// wait() and as_completed(): waiting for several tasks without cancelling any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

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
template <class T>
struct WaitResult {
  std::vector<Task<T>> done;
  std::vector<Task<T>> pending;
};

namespace detail {
/// Throws: as wait().
ASYNCIO_API void wait_for_some(const std::vector<TaskControl*>& inputs, ReturnWhen when);

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

/// Waits until `when` holds.  Cancels nothing, even if the caller is cancelled.
/// Suspends: unless it holds already.
/// Cancels: Cancelled; the tasks go on.
/// Throws: std::invalid_argument for no tasks; DeadlockError; InvalidStateError for a task of
/// another loop; NotInTaskError.
template <class T>
WaitResult<T> wait(std::vector<Task<T>> tasks, ReturnWhen when = ReturnWhen::all_completed) {
  std::vector<detail::TaskControl*> inputs;
  inputs.reserve(tasks.size());
  for (const Task<T>& task : tasks) inputs.push_back(&task.control());
  detail::wait_for_some(inputs, when);
  WaitResult<T> result;
  for (Task<T>& task : tasks) {
    (task.is_done() ? result.done : result.pending).push_back(std::move(task));
  }
  return result;
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

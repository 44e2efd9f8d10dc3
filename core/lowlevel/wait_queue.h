// Tasks that wait in line for one thing: what nearly every primitive is built on.
#pragma once

#include <cstddef>
#include <limits>
#include <string>

#include <asyncio/core/export.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/list.h>
#include <asyncio/core/lowlevel/waiter.h>
#include <asyncio/core/time.h>

namespace asyncio::lowlevel {

/// First in, first out.  A cancel or a deadline takes a task out of the line wherever it stands.
///
/// Destroyed while tasks wait: each of them wakes up with Wake::broken.
/// Threads: the loop's thread.
/// Cost: no call but wait() allocates, none runs user code, and each is O(1) for each task woken.
class ASYNCIO_API WaitQueue {
 public:
  struct Place;

  /// What the waits in a queue have in common.
  struct Kind : WaitReason {
    /// `name` is what is waited for, in messages.  `on_left` is called when a cancel or a deadline
    /// has taken `place` out of `queue`, in case it held up those behind it or was handed something
    /// on the way.  For `describe_it` see WaitReason.
    constexpr explicit Kind(const char* name,
                            void (*on_left)(WaitQueue& queue, Place& place) noexcept = nullptr,
                            std::string (*describe_it)(const Waiter& waiter) = nullptr)
        : WaitReason{name, &WaitQueue::abort_place, describe_it, nullptr}, left(on_left) {}
    void (*left)(WaitQueue& queue, Place& place) noexcept;
  };

  /// A task's place in a line; it lives on the task's stack.  Derive from it to add what the waker
  /// has to know, or brings.
  struct Place : Waiter {
    explicit Place(const Kind& kind) noexcept : Waiter(kind) {}
    WaitQueue* queue = nullptr;  ///< where it stands now
  };

  WaitQueue() = default;
  ~WaitQueue() { wake_all(Wake::broken); }
  WaitQueue(const WaitQueue&) = delete;
  WaitQueue& operator=(const WaitQueue&) = delete;

  /// Goes to the end of the line and parks until woken.
  /// Returns Wake::completed, or what the waker says.
  /// Suspends: always.
  /// Cancels: Cancelled; the place is given up.
  Wake wait(CurrentTask self, Place& place) {
    push_back(place);
    return self.suspend(place);
  }
  /// As wait(), but only until `deadline`; then it returns Wake::timed_out.
  Wake wait_until(CurrentTask self, Place& place, TimePoint deadline) {
    push_back(place);
    return self.suspend_until(place, deadline);
  }
  /// As wait(), for a wait that needs nothing but its kind.  `call` is the operation's name.
  /// Throws: ClosedError if the queue is destroyed meanwhile.
  void wait(CurrentTask self, const Kind& kind, const char* call);

  /// Puts `place` at the end of the line, for a task that is about to park by itself.
  void push_back(Place& place) noexcept {
    place.queue = this;
    places_.push_back(place);
    ++size_;
  }

  bool empty() const noexcept { return places_.empty(); }
  std::size_t size() const noexcept { return size_; }
  /// The place that is next in line, or null.
  Place* front() const noexcept { return places_.front(); }
  /// Calls `visit(Place&)` for each, oldest first.  `visit` may wake or move the one it is given.
  template <class Visit>
  void for_each(Visit&& visit) const {
    places_.for_each(visit);
  }

  /// Takes `place` out of the line and wakes its task.  Requires: it stands in this queue.
  void wake(Place& place, Wake outcome = Wake::completed) noexcept {
    --size_;
    lowlevel::wake(place, outcome);
  }
  /// Wakes the first one.  Returns false if there is none.
  bool wake_one(Wake outcome = Wake::completed) noexcept { return wake_some(1, outcome) == 1; }
  /// Wakes the first `n`, or as many as there are.  Returns how many.
  std::size_t wake_some(std::size_t n, Wake outcome = Wake::completed) noexcept;
  void wake_all(Wake outcome = Wake::completed) noexcept {
    wake_some(std::numeric_limits<std::size_t>::max(), outcome);
  }
  /// Moves `place` to the end of another queue, where it goes on waiting.  Requires: it stands in
  /// this queue.
  void requeue(Place& place, WaitQueue& to) noexcept {
    place.unlink();
    --size_;
    to.push_back(place);
  }

  /// Throws InvalidStateError if tasks wait here and this is not the thread of their loop.  `call`
  /// names the caller.
  void check_thread(const char* call) const;

  /// Throws ClosedError: `call` found out that `what` was destroyed while the task waited.
  [[noreturn]] static void throw_destroyed(const char* call, const char* what);

 private:
  static bool abort_place(Waiter& waiter) noexcept;

  List<Place> places_;
  std::size_t size_ = 0;
};

}  // namespace asyncio::lowlevel

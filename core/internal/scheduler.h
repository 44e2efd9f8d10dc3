// Who runs next: the ready queue, the batch of a turn, and the switches from task to task.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>

#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/internal/fiber/fiber.h>
#include <asyncio/core/internal/reactor/reactor.h>
#include <asyncio/core/internal/rooms.h>
#include <asyncio/core/internal/slice_clock.h>
#include <asyncio/core/unique_function.h>

namespace asyncio::detail {

/// The scheduler whose loop runs on this thread, or null.  One function must not read it both
/// before and after a suspension: the compiler may keep its address, and the next run may be on
/// another thread.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local Scheduler* running_scheduler;

/// First in, first out, through ReadyNode::next_ready.
class ReadyList {
 public:
  bool empty() const noexcept { return head_ == nullptr; }
  ReadyNode* front() const noexcept { return head_; }
  void push_back(ReadyNode& node) noexcept {
    node.next_ready = nullptr;
    if (head_ == nullptr) {
      head_ = &node;
    } else {
      tail_->next_ready = &node;
    }
    tail_ = &node;
  }
  ReadyNode* pop_front() noexcept {
    ReadyNode* node = head_;
    head_ = node->next_ready;
    return node;
  }
  /// Takes over all of `other`, behind what is here.
  void splice_back(ReadyList& other) noexcept {
    if (other.empty()) return;
    if (head_ == nullptr) {
      head_ = other.head_;
    } else {
      tail_->next_ready = other.head_;
    }
    tail_ = other.tail_;
    other.head_ = nullptr;
  }

 private:
  ReadyNode* head_ = nullptr;
  ReadyNode* tail_ = nullptr;
};

/// A callback in the ready queue.
struct ReadyCallback : ReadyNode {
  explicit ReadyCallback(UniqueFunction<void()> function) : callback(std::move(function)) {}
  UniqueFunction<void()> callback;
};

class Scheduler {
 public:
  explicit Scheduler(const Rooms& rooms);
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// See running_scheduler.
  static Scheduler* current() noexcept { return running_scheduler; }

  const Rooms& rooms() const noexcept { return rooms_; }
  Reactor& reactor() const noexcept { return reactor_; }
  TaskControl* current_task() const noexcept { return current_; }

  // ---- Being ready ----------------------------------------------------------------------------
  void make_ready(ReadyNode& node) noexcept {
    ready_[node.priority].push_back(node);
    ++ready_count_;
    work_came();
  }
  void call_soon(UniqueFunction<void()> callback) {
    make_ready(*new ReadyCallback{std::move(callback)});
  }
  /// Says that something is ready, or that the earliest deadline may have moved: a host that has
  /// the thread must come back.
  void work_came() noexcept {
    if (host_asleep_) [[unlikely]]
      wake_host();
  }
  /// For a guest: `asleep` means that process() has left no work, so new work must call the host.
  void set_host_asleep(bool asleep) noexcept { host_asleep_ = asleep; }
  bool host_asleep() const noexcept { return host_asleep_; }

  bool has_ready() const noexcept { return ready_count_ != 0 || !batch_.empty(); }
  std::size_t ready_count() const noexcept;

  // ---- Switching ------------------------------------------------------------------------------
  /// Runs others until something makes `self` ready again.
  void park(TaskControl& self) noexcept;
  /// Sends `self` to the back of the queue.  Delivers no cancel.
  void yield(TaskControl& self) noexcept {
    self.stack_lines = 1;
    make_ready(self);
    park(self);
  }
  /// Called when an operation of `self` has completed at once and its budget asks for a look:
  /// yields if the slice or the budget is used up.
  void look_at_budget(TaskControl& self) noexcept;
  /// Leaves a task that has ended.  Its stack may be reused as soon as another task runs.
  [[noreturn]] void leave(const Fiber& ended) noexcept;
  /// Makes no task the current one, so that the destructor of a result runs outside any task.
  void forget_current() noexcept { current_ = nullptr; }
  /// Once `main` has ended, tasks that are ready get one more turn, and no slice of the next one.
  /// Null means that there is no main.
  void watch_main(const TaskControl* main) noexcept {
    main_ = main;
    main_ended_ = false;
  }
  void note_ended(const TaskControl& task) noexcept {
    if (&task != main_ && !reactor_.forked()) [[likely]]
      return;
    main_ended_ = true;
    switches_left_ = 0;
  }

  /// The exceptions in flight in the code that runs.
  unsigned uncaught() const noexcept { return thread_.exceptions->uncaught; }
  /// Runs `call(argument)` on top of the stack of `parked`, as if that had called it.
  void call_on_stack_of(TaskControl& parked, void (*call)(void*), void* argument) noexcept;

  // ---- Step 1 of the turn -----------------------------------------------------------------------
  /// Runs what was ready when the turn began, and as much of what becomes ready meanwhile as fits
  /// into a slice of time.  Past `budget_end`, in real time, the rest is left to the next call.
  void run_ready(TimePoint budget_end) noexcept;
  /// As run_ready(), but for a slice only.  Returns false if that leaves some of what was ready.
  bool run_slice() noexcept;
  /// Lets a slice of time begin now, for callbacks that the turn calls by itself.
  void begin_slice() noexcept { slice_end_ = SliceClock::ticks() + clock_.slice(); }
  /// Has it ended?  With a test clock or in debug mode none ever does.
  bool slice_has_ended() const noexcept { return direct_ && slice_is_over(); }
  /// Takes note of the real time, which the turn has read anyway.
  void learn_time(TimePoint now) noexcept { clock_.learn(now); }

  // ---- Runs -------------------------------------------------------------------------------------
  /// Gives the thread to this loop until leave_thread(outer).  Returns the one that had it before.
  Scheduler* take_thread() noexcept;
  void leave_thread(Scheduler* outer) noexcept;
  /// Threads: any.
  bool running() const noexcept { return running_.load(std::memory_order_relaxed); }
  /// Throws NestedRunError if a loop runs on this thread.  `call` is what would run another one.
  static void check_none_runs(const char* call);

  /// Lets the current callback or task slice end, and then lets nothing else begin.
  void stop() noexcept { stopping_ = true; }
  bool stopping() const noexcept { return stopping_; }
  const bool& stop_flag() const noexcept { return stopping_; }
  /// Returns whether stop() was called, and forgets it.
  bool take_stop() noexcept { return std::exchange(stopping_, false); }

  // ---- The end ----------------------------------------------------------------------------------
  /// While held, callbacks wait, and only tasks run, which are being unwound.
  void hold_callbacks(bool hold) noexcept { holding_ = hold; }
  bool holds_callbacks() const noexcept { return holding_; }
  /// Makes ready again what was held.  Requires: no task is ready.
  void release_held() noexcept;
  /// Destroys every callback that is ready, and leaves the tasks.
  void drop_callbacks() noexcept;
  /// Forgets every task that is ready, and leaves the callbacks.
  void drop_tasks() noexcept;

  std::uint64_t switches() const noexcept { return switches_; }

 private:
  template <class Enough>
  bool run_until(Enough&& enough) noexcept;
  TaskControl* next_in_slice() noexcept;
  bool slice_goes_on() noexcept;
  bool slice_is_over() const noexcept { return SliceClock::ticks() >= slice_end_; }
  void prefetch_next() const noexcept;
  void resume(TaskControl& task) noexcept;
  void form_batch() noexcept;
  void shuffle_batch() noexcept;
  void run_callback(ReadyNode& node) noexcept;
  void wake_host() noexcept;
  ReadyList take_all() noexcept;

  const Rooms& rooms_;
  Reactor& reactor_;

  // Touched on every switch:
  ThreadState thread_;
  TaskControl* current_ = nullptr;
  ReadyList batch_;                  ///< this turn's snapshot
  std::array<ReadyList, 3> ready_;   ///< the next turn's, by priority
  std::size_t ready_count_ = 0;      ///< in ready_, not in batch_
  std::uint32_t switches_left_ = 0;  ///< direct switches until the next look at the clock
  std::uint32_t look_every_ = 1;     ///< switches between two looks; more while they are quick
  bool stopping_ = false;
  bool host_asleep_ = false;
  bool next_batch_ = false;  ///< in this turn tasks went on with the next one's snapshot
  bool main_ended_ = false;
  const bool direct_;  ///< may tasks switch to one another without going through the loop's stack?
  std::uint64_t switches_ = 0;
  SliceClock::Ticks slice_end_ = 0;
  SliceClock clock_;
  Fiber main_fiber_;
  Fiber dying_;  ///< the stack that the last task to end has left

  const TaskControl* main_ = nullptr;  ///< of run(main), while it runs
  std::atomic<bool> running_{false};
  bool holding_ = false;
  ReadyList held_;
  std::optional<std::minstd_rand> shuffle_;
};

}  // namespace asyncio::detail

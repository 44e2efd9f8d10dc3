// The loop behind EventLoop: ready queue, fibers, turn, exception handling.  See core/DESIGN.md.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <asyncio/core/detail/scope.h>
#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/event_loop.h>
#include <asyncio/core/internal/fiber.h>
#include <asyncio/core/internal/reactor.h>
#include <asyncio/core/internal/stack_pool.h>

namespace asyncio::detail {

class LoopSignals;
class ThreadPool;
class Loop;

/// The loop running on this thread, or null.  Not to be read on both sides of a suspension in one
/// function: the compiler may keep its address, and the next run may be another thread's.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local Loop* running_loop;

struct LoopHold;

/// What handles outside share with the loop.
struct LoopShared {
  /// What this loop's handles have in common, made anew if there are none.  Threads: any.
  static std::shared_ptr<LoopHold> hold(const std::shared_ptr<LoopShared>& shared);
  bool is_held() const;

  Inbox* inbox = nullptr;
  std::uint64_t epoch = 0;
  std::atomic<bool> closed{false};
  std::atomic<bool> stop_requested{false};

 private:
  mutable std::mutex mutex_;  // guards the pointer, not what it points at
  std::weak_ptr<LoopHold> hold_;
};

/// Lives as long as one of a loop's handles does.  When the last one goes, the loop is woken to
/// notice that nobody can call it any more.
struct LoopHold {
  explicit LoopHold(std::shared_ptr<LoopShared> loop) noexcept : shared(std::move(loop)) {}
  ~LoopHold() { shared->inbox->wake(); }
  LoopHold(const LoopHold&) = delete;
  LoopHold& operator=(const LoopHold&) = delete;
  std::shared_ptr<LoopShared> shared;
};

/// What `task` waits for, for a person; see AnyTask::wait_reason().
std::string wait_text(const TaskControl& task);

/// Has `callback` called from the loop; what it throws goes to the exception handler.
void schedule_done_callback(Loop& loop, UniqueFunction<void()> callback);

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

class Loop {
 public:
  Loop(EventLoop& face, std::unique_ptr<EventLoopInterface> backend, const LoopOptions& options);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// See running_loop.
  static Loop* current() noexcept { return running_loop; }

  EventLoop& face() noexcept { return face_; }
  EventLoopInterface& backend() noexcept { return *backend_; }
  Reactor& reactor() noexcept { return reactor_; }
  const LoopOptions& options() const noexcept { return options_; }
  Scope& root() noexcept { return *root_; }
  TaskControl* current_task() const noexcept { return current_; }
  bool on_own_thread() const noexcept { return reactor_.inbox().on_owners_thread(); }
  bool running() const noexcept { return running_; }
  bool stopping() const noexcept { return stopping_; }
  /// Do only tasks run, which are being unwound, and callbacks wait for the next run?
  bool winding_up() const noexcept { return winding_up_; }
  std::uint64_t turn() const noexcept { return turns_; }

  // ---- Running (loop_turn.cc) ---------------------------------------------------------------------
  void run_main(TaskControl& main);
  void run_until_idle();
  void stop() noexcept;
  /// As a guest (loop_guest.cc): what EventLoopInterface::process() promises.
  bool process(Duration budget) noexcept;
  /// As a guest by descriptor: EventLoop's members of these names.
  bool process_by_descriptor(Duration budget);
  NativeHandle native_handle() const;
  /// Something is ready, or may have moved the earliest deadline: if the host has the thread, it has
  /// to come back.
  void outside_change() noexcept {
    if (host_asleep_) [[unlikely]]
      wake_host();
  }
  /// Could anything still happen, of its own accord or because somebody else calls?
  bool could_go_on() const noexcept;
  /// A fresh root for the next run, with no task left in the old one.
  void reset_root();
  /// Cancels and joins every task, leaves the host's loop if it is in one, and ends the root.
  void shutdown();
  /// Throws NestedRunError if any loop runs on this thread, InvalidStateError for a guest.
  void check_not_nested(const char* call) const;
  void check_fork(const char* call) const;
  /// In the child of a fork.
  void after_fork();
  /// The calling thread is the loop's from now on.
  void claim_thread() noexcept { reactor_.inbox().claim(); }

  // ---- Ready queue and switching (suspend.cc) -----------------------------------------------------
  void make_ready(ReadyNode& node) noexcept {
    ready_[node.priority].push_back(node);
    ++ready_count_;
    outside_change();
  }
  /// Runs others until something makes `self` ready again.
  void park(TaskControl& self) noexcept;
  /// To the back of the queue.  Delivers no cancel.
  void yield(TaskControl& self) noexcept {
    self.stack_lines = 1;
    make_ready(self);
    park(self);
  }
  void call_soon(UniqueFunction<void()> callback);
  /// Where a task that has ended goes.
  [[noreturn]] void leave(Fiber& ended) noexcept;
  ThreadState& thread() noexcept { return thread_; }
  /// Is there an exception in flight in the running code?
  bool unwinding() const noexcept { return uncaught() != 0; }
  unsigned uncaught() const noexcept { return thread_.exceptions->uncaught; }

  // ---- Tasks (task_lifecycle.cc) ------------------------------------------------------------------
  StackPool& stacks_of(std::size_t usable_size) {
    const bool usual = usable_size == 0 || usable_size == default_pool_->usable_size();
    return usual ? *default_pool_ : unusual_stacks_of(usable_size);
  }
  std::size_t default_stack_size() const noexcept { return options_.stack_size; }
  /// Unique within the process.
  std::uint64_t next_task_id() noexcept {
    if (next_id_ == end_of_ids_) [[unlikely]]
      take_task_ids();
    return next_id_++;
  }
  void task_created(TaskControl& task) noexcept;
  void task_started(TaskControl& task) noexcept;
  [[noreturn]] void task_ended(TaskControl& task, TaskState end) noexcept;
  /// The cheap clock of task time stamps: exact in debug mode, else to the kernel's tick.
  TimePoint stamp() noexcept;
  std::size_t alive() const noexcept { return alive_count_; }
  std::vector<TaskRef> living_tasks() const;

  // ---- Failures (failures.cc) ---------------------------------------------------------------------
  /// Tells of a failed task that nobody looked at.  It is in no list any more.
  void report_ignored(TaskControl& task) noexcept;
  /// Tells the exception handler, or stderr.
  void report(std::string message, std::exception_ptr exception, TaskControl* task) noexcept;
  /// A callback threw: to the handler if one is set, else out of run().
  void callback_failed(std::exception_ptr exception, const char* what) noexcept;
  void set_exception_handler(UniqueFunction<void(const ExceptionContext&)> handler) {
    handler_ = handler ? std::make_shared<Handler>(std::move(handler)) : nullptr;
  }

  // ---- Other threads ------------------------------------------------------------------------------
  const std::shared_ptr<LoopShared>& shared() const noexcept { return shared_; }
  ThreadPool& threads();
  LoopSignals& signals() noexcept { return *signals_; }
  /// Sources that could wake a task although nothing is armed: worker threads, signals, handles.
  std::size_t foreign_sources = 0;
  std::size_t thread_jobs = 0;
  List<Waiter> thread_waiters;

  LoopStatistics statistics() const;
  std::string dump() const;

  /// For the stack overflow report: whose guard page is this, if any of the running task?
  TaskControl* task_of_guard(const std::byte* address) const noexcept;

 private:
  friend class EventLoop;

  struct RunGuard;

  /// One turn after the other until `finished` or nothing is left.  True: finished.
  template <class Finished>
  bool drive(Finished&& finished);
  template <class Finished>
  bool drive_to(Finished&& finished);
  void guest_turn(TimePoint due);
  bool has_work() const noexcept {
    return !batch_.empty() || ready_count_ != 0 || posts_ != nullptr ||
           reactor_.inbox().has_posts();
  }
  void take_task_ids() noexcept;
  void schedule_done_callbacks(TaskControl& task) noexcept;
  StackPool& unusual_stacks_of(std::size_t usable_size);
  void wake_host() noexcept;
  void fire_deadlines(TimePoint due, std::uint64_t limit);
  void run_ready() noexcept;
  TaskControl* next_in_slice() noexcept;
  void prefetch_next() const noexcept;
  void resume(TaskControl& task) noexcept;
  void form_batch() noexcept;
  void shuffle_batch() noexcept;
  void run_callback(ReadyNode& node) noexcept;
  void take_posts();
  bool poll_due() noexcept;
  bool wait_or_finish();
  bool could_be_woken() const noexcept;
  void check_by_descriptor(const char* call) const;
  void wind_up(bool hold_callbacks, bool interrupted);
  void close_root_resources(bool cancelled);
  void abandon_survivors();
  void drop_callbacks() noexcept;
  /// Everything that is ready, of this turn and the next.
  ReadyList take_ready() noexcept;
  ReadyNode* take_ready_callback() noexcept;
  /// May there be memory that nobody needs?
  bool pools_are_full() const noexcept;
  TimePoint trim_pools(TimePoint now) noexcept;

  EventLoop& face_;
  LoopOptions options_;
  std::unique_ptr<EventLoopInterface> backend_;
  Reactor& reactor_;
  std::shared_ptr<LoopShared> shared_;

  // Hot: touched on every switch.
  ThreadState thread_;
  TaskControl* current_ = nullptr;
  ReadyList batch_;                 ///< this turn's snapshot
  std::array<ReadyList, 3> ready_;  ///< the next turn's, by priority
  std::size_t ready_count_ = 0;     ///< in ready_, not in batch_
  std::uint32_t slice_ = 0;         ///< direct switches left until the loop's own stack has a look
  const TaskControl* main_ = nullptr;  ///< of run(main), while it runs
  bool next_batch_ = false;            ///< in this turn tasks went on with the next one's snapshot
  std::uint64_t switches_ = 0;
  std::uint64_t turns_ = 0;
  Fiber main_fiber_;
  Fiber dying_;  ///< whose stack the last task that ended left

  // As a guest
  bool host_asleep_ = false;  ///< process() has left no work: new work must call for the host
  bool shutdown_asked_ = false;
  TimePoint budget_end_ = TimePoint::max();    ///< real time
  TimePoint left_to_host_ = TimePoint::min();  ///< when process() last ended
  std::uint64_t armed_limit_ = 0;  ///< timers from this sequence number on are not looked at next

  // Turn
  bool running_ = false;
  bool stopping_ = false;
  bool winding_up_ = false;  ///< callbacks are held back: only tasks run
  ReadyList held_;
  std::uint32_t slice_length_ = 64;
  TimePoint last_poll_{};    ///< real time
  TimePoint slice_began_{};  ///< real time
  Post* posts_ = nullptr;    ///< taken from the inbox, not yet run; oldest first
  Post* posts_tail_ = nullptr;
  std::uint64_t posts_taken_ = 0;
  std::uint64_t backend_waits_ = 0;
  std::exception_ptr callback_failure_;
  std::optional<std::minstd_rand> shuffle_;

  // Tasks
  std::unique_ptr<Scope> root_;
  std::map<std::size_t, std::unique_ptr<StackPool>> pools_;
  StackPool* default_pool_ = nullptr;
  TimePoint next_trim_ = TimePoint::max();
  std::vector<TaskRef> abandoned_;
  std::uint64_t next_id_ = 0;
  std::uint64_t end_of_ids_ = 0;
  bool exact_stamps_ = false;
  TimePoint stamp_{};
  std::int64_t stamp_tick_ = 0;
  std::uint64_t created_count_ = 0;
  std::size_t alive_count_ = 0;

  using Handler = UniqueFunction<void(const ExceptionContext&)>;
  std::shared_ptr<Handler> handler_;  // shared with the calls in progress: one may replace it
  std::unique_ptr<ThreadPool> threads_;
  std::unique_ptr<LoopSignals> signals_;
};

}  // namespace asyncio::detail

// The control block of a task: all the library knows about it besides its stack.
//
// It is separate from the stack, so that a finished task's stack is reused while handles to its
// result live.  Reference counted: each handle holds one, the loop one until the task has ended.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include <asyncio/core/detail/done_callbacks.h>
#include <asyncio/core/detail/scope.h>
#include <asyncio/core/detail/slot.h>
#include <asyncio/core/export.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/list.h>
#include <asyncio/core/lowlevel/ownership.h>
#include <asyncio/core/lowlevel/waiter.h>
#include <asyncio/core/task_state.h>
#include <asyncio/core/time.h>

namespace asyncio::detail {

class Inbox;
class Scheduler;
class StackPool;
class TaskControl;

/// A place in the ready queue: a task, or a callback.
struct ReadyNode {
  ReadyNode* next_ready = nullptr;
  bool is_task = false;
  std::uint8_t priority = 2;  ///< index of the queue it waits in; callbacks are ordinary work
};

/// Told when a task ends or a future is set, before anything else of it becomes visible to tasks.
struct CompletionNode : lowlevel::ListNode {
  explicit CompletionNode(void (*on_end)(CompletionNode&) noexcept) noexcept : notify(on_end) {}
  void (*notify)(CompletionNode&) noexcept;
};

/// The tasks that one wait is for.
struct TaskSet {
  TaskControl* const* tasks;
  std::size_t count;
};

/// What tasks inherit and the resource module reads: see resource/context.h.  Core only shares it.
class ASYNCIO_API ContextBase {
 public:
  virtual ~ContextBase();
  /// A frozen view of this, for a new task.  O(1).
  virtual std::shared_ptr<ContextBase> inherit() = 0;
  /// As inherit(), for another thread: an object that nothing else refers to.
  virtual std::shared_ptr<ContextBase> inherit_alone() = 0;
};

/// How many bytes of a stack are usable, and how many below it are its guard.  Both are rounded up
/// to pages; 0 means what is usual in the loop.
struct StackSize {
  std::size_t usable = 0;
  std::size_t guard = 0;
};

/// A stack, or the saved state of what runs on it.
struct Fiber {
  // While it is parked:
  void* saved = nullptr;      ///< the switch's saved registers
  void* caught = nullptr;     ///< the C++ runtime's stack of caught exceptions,
  unsigned int uncaught = 0;  ///< and its count of those in flight
  int error_number = 0;
  // The stack:
  std::byte* top = nullptr;   ///< highest address, exclusive; null for a thread's own stack
  std::size_t size = 0;       ///< usable bytes below top
  void* sanitizer = nullptr;  ///< ASan's fake stack or TSan's fiber, when compiled in
};

class alignas(64) ASYNCIO_API TaskControl : public ReadyNode {
 public:
  /// Runs the body (or, if not `run`, only destroys it) on the task's own stack.
  using Invoke = void (*)(TaskControl& control, void* closure, bool run);

  TaskControl() noexcept { is_task = true; }
  virtual ~TaskControl();
  TaskControl(const TaskControl&) = delete;
  TaskControl& operator=(const TaskControl&) = delete;

  // Pooled: see core/internal/memory/block_pool.h.
  static void* operator new(std::size_t size, std::align_val_t alignment);
  static void operator delete(void* memory, std::size_t size, std::align_val_t alignment) noexcept;

  TaskState state() const noexcept { return state_.load(std::memory_order_acquire); }
  bool done() const noexcept { return is_terminal(state()); }

  void add_ref() noexcept { refs_.fetch_add(1, std::memory_order_relaxed); }
  void drop_ref() noexcept {
    // The only owner needs no atomic decrement: nobody else can be dropping.
    if (refs_.load(std::memory_order_acquire) == 1) return last_ref_gone();
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    refs_.store(1, std::memory_order_relaxed);
    last_ref_gone();
  }
  /// For a caller who holds no reference but knows that the block still exists.  Returns false if
  /// the last reference is just being dropped.
  bool try_add_ref() noexcept {
    std::uint32_t count = refs_.load(std::memory_order_relaxed);
    while (count != 0) {
      if (refs_.compare_exchange_weak(count, count + 1, std::memory_order_relaxed)) return true;
    }
    return false;
  }

  std::string display_name() const;
  /// The failure counts as looked at: the exception handler will not hear of it.
  void mark_observed() noexcept;

  /// Immediate completions in a row after which a task yields, however quick they are.
  static constexpr std::uint8_t whole_budget = 128;

  // Everything below, except the inbox, belongs to the loop's thread.  The order is that of use.  A
  // yield touches only the first cache line, which ends with the first half of `fiber`; a wait and
  // a wake touch the second one too.  What is needed only at the start, at the end, by a handle or
  // by a report comes last.
  bool cancel_pending = false;   ///< scope->effective
  std::uint8_t stack_lines = 1;  ///< cache lines of the stack that it needs at once when resumed
  std::uint8_t budget = whole_budget;  ///< immediate completions left until it yields
  std::uint8_t look_at =
      whole_budget - 1;  ///< the clock is looked at when the budget is down to this
  std::uint8_t first_look = whole_budget - 1;  ///< look_at after each suspension; learned
  std::uint32_t no_cancel = 0;                 ///< depth of library shields
  std::uint32_t no_suspend = 0;                ///< depth of NoSuspend guards
  std::uint64_t suspensions = 0;
  Fiber fiber;
  Scheduler* scheduler = nullptr;
  lowlevel::Waiter* waiter = nullptr;  ///< the wait it is parked in
  ScopeNode* scope = nullptr;          ///< innermost scope entered; changed by set_scope()
  std::uint64_t id = 0;
  std::uint32_t uncaught_base = 0;  ///< exceptions in flight when the innermost shield was entered
  std::uint16_t swallowed = 0;      ///< cancels thrown into it so far
  bool abandoned = false;           ///< refused to end: never resumed again, leaked with its stack
  bool swallow_reported = false;
  bool observed = false;    ///< somebody looked at the failure
  bool background = false;  ///< nobody waits for its end of their own accord

 private:
  std::atomic<TaskState> state_{TaskState::pending};
  std::atomic<std::uint32_t> refs_{2};  // the maker's handle and the loop

 public:
  ScopeNode own_scope;
  lowlevel::List<CompletionNode> completions;
  lowlevel::List<lowlevel::Ownership> owned;
  Invoke invoke = nullptr;
  void* closure = nullptr;
  StackPool* stacks = nullptr;  ///< where its stack belongs
  std::exception_ptr exception;
  std::shared_ptr<ContextBase> context;
  std::unique_ptr<DoneCallbacks> done_callbacks;
  Inbox* inbox = nullptr;  ///< of the loop; never freed, so any thread may use it at any time
  TimePoint created{};
  TimePoint started{};
  TimePoint completed{};
  TimePoint first_cancel{};  ///< when the first cancel was thrown into it
  std::string name;

  /// Fetches what a wake touches.
  void prefetch() const noexcept {
    __builtin_prefetch(this, 1);
    __builtin_prefetch(&scheduler, 1);
  }

  void set_state(TaskState to) noexcept { state_.store(to, std::memory_order_release); }
  void set_scope(ScopeNode& innermost) noexcept {
    scope = &innermost;
    cancel_pending = innermost.effective;
  }

 private:
  /// Takes over the last reference, which is still counted.
  void last_ref_gone() noexcept;
  /// Has somebody else hear of the failure and take over the last reference.
  bool failure_goes_on() noexcept;
};

/// The running task of this thread, or null.
ASYNCIO_API TaskControl* current_task_control() noexcept;

/// A control block with room for the result.
template <class T>
class TaskResult final : public TaskControl {
 public:
  TaskResult() noexcept {}  // not "= default": that would clear all of it first
  ~TaskResult() override {
    if (state() == TaskState::completed) value.destroy();
  }
  Slot<T> value;
};

/// A counted pointer to a control block.
class TaskRef {
 public:
  TaskRef() noexcept = default;
  /// Takes over a reference that is already counted.
  explicit TaskRef(TaskControl* counted) noexcept : control_(counted) {}
  TaskRef(const TaskRef& other) noexcept : control_(other.control_) {
    if (control_ != nullptr) control_->add_ref();
  }
  TaskRef(TaskRef&& other) noexcept : control_(std::exchange(other.control_, nullptr)) {}
  TaskRef& operator=(TaskRef other) noexcept {
    std::swap(control_, other.control_);
    return *this;
  }
  ~TaskRef() {
    if (control_ != nullptr) control_->drop_ref();
  }

  static TaskRef share(TaskControl& control) noexcept {
    control.add_ref();
    return TaskRef{&control};
  }

  TaskControl* get() const noexcept { return control_; }
  TaskControl* operator->() const noexcept { return control_; }
  TaskControl& operator*() const noexcept { return *control_; }
  explicit operator bool() const noexcept { return control_ != nullptr; }

 private:
  TaskControl* control_ = nullptr;
};

}  // namespace asyncio::detail

// Suspending, waking, and delivering cancellation: the rules R2–R6 and R11 in code.
#include <algorithm>

#include <asyncio/core/detail/waiter.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/internal/cancelled_access.h>
#include <asyncio/core/internal/loop.h>

namespace asyncio::detail {
namespace {

// Cache lines of a stack between the saved registers and what a wait keeps there.
constexpr std::uint8_t lines_of_a_wait = 8;

// Immediate completions a task may have in one slice.
constexpr std::uint16_t budget_per_slice = 128;

// Cancels a task may swallow before each further one makes it wait first: it must not spin.
constexpr std::uint16_t patience = 64;

struct DeadlineTimer : TimerNode {
  explicit DeadlineTimer(Waiter& timed) noexcept
      : TimerNode(&DeadlineTimer::expire), waiter(timed) {}

  static void expire(TimerNode& node) {
    Waiter& waiter = static_cast<DeadlineTimer&>(node).waiter;
    if (waiter.outcome != Wake::pending) return;  // the waker was first (R11)
    if (waiter.abort != nullptr && !waiter.abort(waiter)) return;
    wake(waiter, Wake::timed_out);
  }
  Waiter& waiter;
};

bool may_deliver(const TaskControl& self) noexcept {
  // Inside a shield that a destructor entered while unwinding, that shield's own cancel may be
  // delivered: it ends at the shield.
  return self.no_cancel == 0 && self.loop->uncaught() <= self.uncaught_base;
}

// A task that keeps swallowing its cancellation waits ever longer before it is told again, and is
// reported by name when the grace period is over.
void back_off(TaskControl& self) {
  Loop& loop = *self.loop;
  const TimePoint now = loop.reactor().now();
  if (!self.swallow_reported && now - self.first_cancel >= loop.options().shutdown_grace) {
    self.swallow_reported = true;
    loop.report("task '" + self.display_name() + "' has swallowed its cancellation " +
                    std::to_string(self.swallowed) +
                    " times and goes on: let Cancelled pass through catch (...) blocks",
                nullptr, &self);
  }
  using std::chrono::milliseconds;
  const auto doublings = std::min<unsigned>(static_cast<unsigned>(self.swallowed - patience), 8);
  const NoCancel shielded{self};
  Waiter pause{WaitKind::timer};
  suspend_until(self, pause, deadline_after(now, milliseconds{1} * (1 << doublings)));
}

}  // namespace

// ---- Entering a wait -------------------------------------------------------------------------------

TaskControl* current_task_control() noexcept {
  Loop* loop = Loop::current();
  return loop == nullptr ? nullptr : loop->current_task();
}

namespace {

[[noreturn, gnu::cold]] void refuse_wait(const Loop* loop, const char* call) {
  if (loop == nullptr || loop->current_task() == nullptr) {
    throw NotInTaskError(std::string{call} +
                         (loop == nullptr
                              ? " needs a task: it was called where no loop runs; call it inside "
                                "asyncio::run(...)"
                              : " needs a task: a loop callback must not suspend; start one with "
                                "create_task(...) and wait there"));
  }
  const TaskControl& self = *loop->current_task();
  if (self.no_suspend != 0) {
    throw InvalidStateError(std::string{call} + " inside a NoSuspend scope of task '" +
                            self.display_name() + "': end the scope before waiting");
  }
  throw InvalidStateError(std::string{call} +
                          " in a forked child: call get_event_loop().after_fork() first");
}

}  // namespace

TaskControl& enter_shielded_wait(const char* call) {
  Loop* const loop = Loop::current();
  TaskControl* const self = loop == nullptr ? nullptr : loop->current_task();
  if (self == nullptr || self->no_suspend != 0 || loop->reactor().forked()) [[unlikely]]
    refuse_wait(loop, call);
  return *self;
}

TaskControl& enter_wait(const char* call) {
  TaskControl& self = enter_shielded_wait(call);
  if (self.cancel_pending && may_deliver(self)) [[unlikely]]
    throw_cancelled(self);
  return self;
}

void throw_cancelled(TaskControl& self) {
  if (self.swallowed == 0) self.first_cancel = self.loop->reactor().now();
  if (self.swallowed < UINT16_MAX) ++self.swallowed;
  if (self.swallowed > patience) back_off(self);
  auto cause =
      self.cancel_pending ? self.scope->visible_cause() : std::make_shared<const CancelCause>();
  throw CancelledAccess::make(std::move(cause));
}

// ---- Parking and waking ----------------------------------------------------------------------------

Wake suspend(TaskControl& self, Waiter& waiter) {
  waiter.task = &self;
  waiter.cancellable = waiter.cancellable && may_deliver(self);
  self.waiter = &waiter;
  self.loop->park(self);
  return waiter.outcome;
}

Wake suspend_until(TaskControl& self, Waiter& waiter, TimePoint deadline) {
  DeadlineTimer timer{waiter};
  TimerQueue& timers = self.loop->reactor().timers();
  try {
    timers.arm(timer, deadline);
  } catch (const std::bad_alloc&) {
    waiter.task = &self;
    if (waiter.abort != nullptr && !waiter.abort(waiter)) return suspend(self, waiter);
    waiter.unlink();
    throw;
  }
  const Wake outcome = suspend(self, waiter);
  timers.disarm(timer);
  return outcome;
}

void wake(Waiter& waiter, Wake outcome) noexcept {
  if (waiter.outcome != Wake::pending) return;
  waiter.unlink();
  waiter.outcome = outcome;
  TaskControl& task = *waiter.task;
  task.waiter = nullptr;
  task.stack_lines = lines_of_a_wait;
  if (task.abandoned) [[unlikely]]
    return;
  task.loop->make_ready(task);
}

void check_loop_thread(const Waiter& waiter, const char* call) {
  waiter.task->inbox->check_thread(call);
}

void spend_budget(TaskControl& self) {
  if (self.budget-- > 1) [[likely]]
    return;
  self.loop->yield(self);  // no waiter is set, so no cancel can be delivered here
}

// What comes next lies in no cache if tasks are many: it is fetched while this one runs.  That is the
// stack from the saved registers upwards, as far as waits are deep, and the control block after that.
// Measured: more of either is slower; a yield needs less than a wait.
void Loop::prefetch_next() const noexcept {
  const ReadyNode* next = batch_.front();
  if (next == nullptr || !next->is_task) return;
  constexpr int line = 64;
  const auto& task = static_cast<const TaskControl&>(*next);
  const auto* const saved = static_cast<const char*>(task.fiber.saved);
  for (int i = 0; i < task.stack_lines; ++i) __builtin_prefetch(saved + i * line, 1);
  __builtin_prefetch(next->next_ready, 1);
}

// Whom a task that stops running hands over to directly, as the current one; null: the loop's own
// stack has to have a look.
inline TaskControl* Loop::next_in_slice() noexcept {
  current_ = nullptr;
  if (slice_ == 0 || stopping_) return nullptr;
  if (batch_.empty()) {
    if (ready_count_ == 0 || reactor_.inbox().has_posts()) return nullptr;
    form_batch();
    next_batch_ = true;
  }
  if (!batch_.front()->is_task) return nullptr;
  --slice_;
  ++switches_;
  current_ = static_cast<TaskControl*>(batch_.pop_front());
  prefetch_next();
  return current_;
}

// The switch comes last: then it is a tail call.
void Loop::park(TaskControl& self) noexcept {
  ++self.suspensions;
  self.budget = budget_per_slice;  // for when it goes on
  if (TaskControl* next = next_in_slice(); next == nullptr) {
    switch_fiber(thread_, self.fiber, main_fiber_);
  } else if (next != &self) {
    switch_fiber(thread_, self.fiber, next->fiber);
  }
}

void Loop::leave(Fiber& ended) noexcept {
  TaskControl* next = next_in_slice();
  leave_fiber(thread_, ended, next == nullptr ? main_fiber_ : next->fiber);
}

void Loop::call_soon(UniqueFunction<void()> callback) {
  make_ready(*new ReadyCallback{std::move(callback)});
}

}  // namespace asyncio::detail

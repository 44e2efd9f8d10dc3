// Suspending and delivering cancellation: the rules R2 to R6 and R11 in code.
#include <asyncio/core/lowlevel/checkpoint.h>

#include <algorithm>
#include <new>

#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/event_loop.h>
#include <asyncio/core/internal/cancelled_access.h>
#include <asyncio/core/internal/delivery.h>
#include <asyncio/core/internal/failures.h>
#include <asyncio/core/internal/guest.h>
#include <asyncio/core/internal/scheduler.h>

namespace asyncio {
namespace detail {
namespace {

using lowlevel::Waiter;
using lowlevel::Wake;

// Cancels a task may swallow before each further one makes it wait first: it must not spin.
constexpr std::uint16_t patience = 64;

constexpr lowlevel::WaitReason back_off_wait{"timer"};

struct DeadlineTimer : TimerNode {
  explicit DeadlineTimer(Waiter& timed) noexcept
      : TimerNode(&DeadlineTimer::expire), waiter(timed) {}

  static void expire(TimerNode& node) {
    Waiter& waiter = static_cast<DeadlineTimer&>(node).waiter;
    if (waiter.outcome != Wake::pending) return;  // the waker was first (R11)
    if (undo_wait(waiter)) lowlevel::wake(waiter, Wake::timed_out);
  }
  Waiter& waiter;
};

bool may_deliver(const TaskControl& self) noexcept {
  // Inside a shield that a destructor entered while unwinding, that shield's own cancel may be
  // delivered: it ends at the shield.
  return self.no_cancel == 0 && self.scheduler->uncaught() <= self.uncaught_base;
}

// A task that keeps swallowing its cancellation waits ever longer before it is told again, and is
// reported by name when the grace period is over.
void back_off(TaskControl& self) {
  const Rooms& rooms = self.scheduler->rooms();
  const TimePoint now = rooms.reactor.now();
  if (!self.swallow_reported && now - self.first_cancel >= rooms.options.shutdown_grace) {
    self.swallow_reported = true;
    rooms.failures.report("task '" + self.display_name() + "' has swallowed its cancellation " +
                              std::to_string(self.swallowed) +
                              " times and goes on: let Cancelled pass through catch (...) blocks",
                          nullptr, &self);
  }
  using std::chrono::milliseconds;
  const auto doublings = std::min<unsigned>(static_cast<unsigned>(self.swallowed - patience), 8);
  const lowlevel::NoCancel shielded{self};
  Waiter pause{back_off_wait};
  lowlevel::CurrentTask{self}.park_until(pause,
                                         deadline_after(now, milliseconds{1} * (1 << doublings)));
}

[[noreturn, gnu::cold]] void refuse_wait(const Scheduler* scheduler, const char* call) {
  if (scheduler == nullptr || scheduler->current_task() == nullptr) {
    throw NotInTaskError(
        std::string{call} + " must be called from a task" +
        (scheduler != nullptr
             ? ": a loop callback cannot wait; start a task with create_task(...) and wait there"
         : Guest::is_there() ? ": a callback of the host's cannot wait; start a task with "
                               "loop.create_task(...) and "
                               "wait there"
                             : ", and no event loop is running: call it inside asyncio::run(...)"));
  }
  const TaskControl& self = *scheduler->current_task();
  if (self.no_suspend != 0) {
    throw InvalidStateError(std::string{call} + ": task '" + self.display_name() +
                            "' must not wait inside a NoSuspend scope; end the scope first");
  }
  throw InvalidStateError(
      std::string{call} +
      ": this process is a forked child; call get_event_loop().after_fork() first");
}

}  // namespace

TaskControl* current_task_control() noexcept {
  Scheduler* const scheduler = Scheduler::current();
  return scheduler == nullptr ? nullptr : scheduler->current_task();
}

}  // namespace detail

namespace lowlevel {

using detail::Scheduler;
using detail::TaskControl;

// ---- Entering -----------------------------------------------------------------------------------

CurrentTask enter_shielded(const char* call) {
  Scheduler* const scheduler = Scheduler::current();
  TaskControl* const self = scheduler == nullptr ? nullptr : scheduler->current_task();
  if (self == nullptr || self->no_suspend != 0 || scheduler->reactor().forked()) [[unlikely]]
    detail::refuse_wait(scheduler, call);
  return *self;
}

CurrentTask enter(const char* call) {
  CurrentTask self = enter_shielded(call);
  if (self.control().cancel_pending && detail::may_deliver(self.control())) [[unlikely]]
    self.throw_cancelled();
  return self;
}

CurrentTask current(const char* call) {
  TaskControl* const self = detail::current_task_control();
  if (self == nullptr) {
    throw NotInTaskError(std::string{call} + " must be called from a task");
  }
  return *self;
}

bool in_task() noexcept { return detail::current_task_control() != nullptr; }

void CurrentTask::throw_cancelled() {
  TaskControl& self = *task_;
  if (self.swallowed == 0) self.first_cancel = self.scheduler->reactor().now();
  if (self.swallowed < UINT16_MAX) ++self.swallowed;
  if (self.swallowed > detail::patience) detail::back_off(self);
  auto cause = self.cancel_pending ? self.scope->visible_cause()
                                   : std::make_shared<const detail::CancelCause>();
  throw detail::CancelledAccess::make(std::move(cause));
}

std::string CurrentTask::name() const { return task_->display_name(); }

NoCancel::NoCancel(CurrentTask task) noexcept : task_(task) { ++task_.control().no_cancel; }
NoCancel::~NoCancel() { --task_.control().no_cancel; }

// ---- Parking ------------------------------------------------------------------------------------

Wake CurrentTask::park(Waiter& waiter) noexcept {
  TaskControl& self = *task_;
  waiter.task = &self;
  waiter.cancellable = waiter.cancellable && detail::may_deliver(self);
  self.waiter = &waiter;
  self.scheduler->park(self);
  return waiter.outcome;
}

Wake CurrentTask::park_until(Waiter& waiter, TimePoint deadline) {
  detail::DeadlineTimer timer{waiter};
  detail::TimerQueue& timers = task_->scheduler->reactor().timers();
  try {
    timers.arm(timer, deadline);
  } catch (const std::bad_alloc&) {
    waiter.task = task_;
    if (!detail::undo_wait(waiter)) return park(waiter);
    waiter.unlink();
    throw;
  }
  const Wake outcome = park(waiter);
  timers.disarm(timer);
  return outcome;
}

void CurrentTask::spend() {
  if (--task_->budget > task_->look_at) [[likely]]
    return;
  task_->scheduler->look_at_budget(*task_);
}

void CurrentTask::yield() noexcept { task_->scheduler->yield(*task_); }

}  // namespace lowlevel
}  // namespace asyncio

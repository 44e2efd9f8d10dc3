// A task from its making to its end.
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <asyncio/core/detail/observation_hooks.h>
#include <asyncio/core/detail/of_loop.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/internal/cancelled_access.h>
#include <asyncio/core/internal/done_callback.h>
#include <asyncio/core/internal/failures.h>
#include <asyncio/core/internal/memory/memory.h>
#include <asyncio/core/internal/scheduler.h>
#include <asyncio/core/internal/tasks.h>
#include <asyncio/core/task.h>

namespace asyncio::detail {
namespace {

using lowlevel::NoCancel;

// Drops the last reference to a failed task on the loop's thread, which may have to report it.
struct DisposePost : Post {
  explicit DisposePost(TaskControl& counted) noexcept
      : Post([](Post& post, Scheduler*) {
          const std::unique_ptr<DisposePost> self{static_cast<DisposePost*>(&post)};
          self->task->drop_ref();
        }),
        task(&counted) {}
  TaskControl* task;
};

// Stacks lie a multiple of 16 KiB apart, so their busiest lines would all fall into the same few
// sets of the caches: each begins a few lines further down than its neighbour.
std::uintptr_t stack_colour(std::uintptr_t top) noexcept {
  constexpr std::uintptr_t line = 64;
  constexpr std::uintptr_t colours = 16;
  return (top >> 14) % colours * line;
}

}  // namespace

std::atomic<const ObservationHooks*> observation_hooks{nullptr};

ContextBase::~ContextBase() = default;

void call_soon_reporting(Scheduler& scheduler, UniqueFunction<void()> callback) {
  scheduler.call_soon([&scheduler, f = std::move(callback)]() mutable {
    try {
      f();
    } catch (...) {
      scheduler.rooms().failures.report("a done callback threw", std::current_exception(), nullptr);
    }
  });
}

// ---- Making -------------------------------------------------------------------------------------

Scope* current_owner_scope() noexcept {
  Scheduler* const scheduler = Scheduler::current();
  if (scheduler == nullptr) return nullptr;
  TaskControl* self = scheduler->current_task();
  return self == nullptr ? &scheduler->rooms().root : &self->scope->owner();
}

Scope& owner_scope_or_throw(const char* call) {
  Scope* const owner = current_owner_scope();
  if (owner == nullptr) [[unlikely]]
    throw_no_running_loop(call);
  return *owner;
}

unsigned exceptions_in_flight() noexcept { return Scheduler::current()->uncaught(); }

namespace {

// Out of line, for the sake of tasks that have no name.
[[gnu::noinline]] void set_name(TaskControl& control, std::string_view name) {
  control.name = name;
}

[[gnu::noinline]] void inherit_context(TaskControl& control, ContextBase& of_maker) {
  control.context = of_maker.inherit();
}

[[gnu::noinline]] void check_takes_tasks(const Scope& scope) {
  scope.scheduler.reactor().inbox().check_thread("create_task");
  if (scope.ended) {
    throw InvalidStateError("create_task: scope '" + scope.name +
                            "' has ended; create tasks while it is open, or in an outer scope");
  }
}

}  // namespace

void* prepare_task(TaskControl& control, Scope& scope, std::string_view name, StackSize stack_size,
                   TaskPriority priority, std::size_t size, std::size_t alignment) {
  Scheduler& scheduler = scope.scheduler;
  if (scope.ended || running_scheduler != &scheduler) check_takes_tasks(scope);
  if (!name.empty()) set_name(control, name);
  StackPool& pool = scheduler.rooms().memory.stacks_of(stack_size);
  control.fiber.top = pool.acquire();
  control.fiber.size = pool.usable_size();
  control.stacks = &pool;
  control.scheduler = &scheduler;
  control.inbox = &scheduler.reactor().inbox();
  control.own_scope.task = &control;
  control.own_scope.is_task = true;
  control.own_scope.parent = &scope;
  control.set_scope(control.own_scope);
  control.priority = static_cast<std::uint8_t>(priority);
  if constexpr (under_asan)
    recycle_stack_memory(control.fiber.top - control.fiber.size, control.fiber.size);
  const auto top = reinterpret_cast<std::uintptr_t>(control.fiber.top);
  const std::uintptr_t place =
      (top - stack_colour(top) - size) & ~(std::max<std::uintptr_t>(alignment, 16) - 1);
  return reinterpret_cast<void*>(place);
}

void abandon_prepared(TaskControl& control) noexcept {
  control.stacks->release(control.fiber.top);
  control.scheduler = nullptr;
}

namespace {

// For a task made in a scope that is being cancelled or is ending.
[[gnu::cold]] void start_cancelled(TaskControl& control, const Scope& scope,
                                   const TaskControl* maker) noexcept {
  // Made by a cleanup that no cancel may reach: an earlier cancel must not reach this task either
  // (C33).
  const bool shielded =
      maker != nullptr && (maker->no_cancel != 0 || control.scheduler->uncaught() != 0);
  control.own_scope.shield = shielded;
  refresh_effective(control.own_scope);  // first: the scope's reason is the reason here
  if (scope.joining && !shielded) {
    cancel_node(control.own_scope, CancelReason::parent, "its scope is ending");
  }
}

}  // namespace

void start_task(TaskControl& control) noexcept {
  Scheduler& scheduler = *control.scheduler;
  Tasks& tasks = scheduler.rooms().tasks;
  Scope& scope = static_cast<Scope&>(*control.own_scope.parent);
  make_fiber(control.fiber, static_cast<std::byte*>(control.closure));
  control.id = tasks.next_id();
  scope.child_started(control.own_scope, control.background);
  TaskControl* maker = scheduler.current_task();
  if (maker != nullptr && maker->context != nullptr) inherit_context(control, *maker->context);
  if (scope.effective || scope.joining) [[unlikely]]
    start_cancelled(control, scope, maker);
  tasks.note_created(control);
  scheduler.make_ready(control);
}

// ---- Running ------------------------------------------------------------------------------------

namespace {

[[gnu::cold]] void schedule_done_callbacks(Scheduler& scheduler, TaskControl& task) noexcept {
  task.done_callbacks->take_all([&](UniqueFunction<void()> callback) {
    call_soon_reporting(scheduler, std::move(callback));
  });
  task.done_callbacks.reset();
}

// In this order: state, event, waiters, group, done callbacks (docs/semantics.md, "The end of a
// task has an order").
[[noreturn]] void end_task(Scheduler& scheduler, TaskControl& task, TaskState end) noexcept {
  const Rooms& rooms = scheduler.rooms();
  task.completed = rooms.tasks.stamp();
  task.set_state(end);
  tell_of_task(task, end == TaskState::completed ? TaskMoment::completed
                     : end == TaskState::failed  ? TaskMoment::failed
                                                 : TaskMoment::cancelled);
  while (CompletionNode* node = task.completions.pop_front()) node->notify(*node);
  Scope& scope = static_cast<Scope&>(*task.own_scope.parent);
  scope.child_ended(task);
  if (end == TaskState::failed && !task.observed) scope.failed.push_back(task.own_scope);
  if (task.done_callbacks != nullptr) [[unlikely]]
    schedule_done_callbacks(scheduler, task);
  rooms.tasks.note_gone(task);
  scheduler.note_ended(task);
  StackPool& stacks = *task.stacks;
  const Fiber left = task.fiber;
  scheduler.forget_current();  // what the result's destructor does happens in no task
  task.drop_ref();
  // The pool touches no stack memory, so the stack may go back while we are still on it.
  stacks.release(left.top);
  scheduler.leave(left);
}

}  // namespace

void run_current_task() noexcept {
  Scheduler& scheduler = *Scheduler::current();
  TaskControl& task = *scheduler.current_task();
  const bool run = !task.own_scope.effective;
  if (run) {
    task.set_state(TaskState::running);
    scheduler.rooms().tasks.note_started(task);
  }
  TaskState end = run ? TaskState::completed : TaskState::cancelled;
  try {
    task.invoke(task, task.closure, run);
  } catch (const Cancelled& cancelled) {
    end = TaskState::cancelled;
    if (task.own_scope.cause == nullptr) {
      task.own_scope.cause = CancelledAccess::cause(cancelled);
    }
  } catch (...) {
    end = TaskState::failed;
    task.exception = std::current_exception();
  }
  if (!run && task.own_scope.cause == nullptr)
    task.own_scope.cause = task.own_scope.visible_cause();
  if (task.context != nullptr) {
    const NoCancel shielded{task};
    task.context.reset();  // its values' destructors are still the task's code
  }
  if (!task.own_scope.children.empty()) [[unlikely]]
    end_groups_below(task.own_scope, task);
  lowlevel::Ownership::abandon_all(task.owned);
  end_task(scheduler, task, end);
}

// ---- Ending -------------------------------------------------------------------------------------

TaskControl::~TaskControl() = default;

std::string TaskControl::display_name() const {
  return name.empty() ? "Task-" + std::to_string(id) : name;
}

void TaskControl::mark_observed() noexcept {
  observed = true;
  if (is_failure(state())) own_scope.unlink();
}

[[gnu::cold]] bool TaskControl::failure_goes_on() noexcept {
  if (!inbox->on_owners_thread()) {
    // Only the loop's thread knows whether somebody has looked, and its lists may name this task.
    auto post = std::make_unique<DisposePost>(*this);
    if (!inbox->push(*post)) return false;
    static_cast<void>(post.release());
    return true;
  }
  if (observed) return false;
  mark_observed();
  scheduler->rooms().failures.report("task '" + display_name() + "' failed and nobody awaited it",
                                     exception, this);
  drop_ref();  // not delete: the handler may have kept a handle
  return true;
}

void TaskControl::last_ref_gone() noexcept {
  if (state() == TaskState::failed && failure_goes_on()) [[unlikely]]
    return;
  delete this;
}

// ---- Waiting for a task -------------------------------------------------------------------------

namespace {

struct TaskWaiter : lowlevel::Waiter, CompletionNode {
  explicit TaskWaiter(TaskControl& awaited) noexcept
      : Waiter(reason_of_all),
        CompletionNode(
            [](CompletionNode& node) noexcept { lowlevel::wake(static_cast<TaskWaiter&>(node)); }),
        target(&awaited) {
    awaited.completions.push_back(*this);
  }

  static const lowlevel::WaitReason reason_of_all;

  TaskControl* target;
  TaskSet set{&target, 1};
};

constexpr lowlevel::WaitReason TaskWaiter::reason_of_all{
    .what = "task",
    .abort =
        [](lowlevel::Waiter& aborted) noexcept {
          static_cast<CompletionNode&>(static_cast<TaskWaiter&>(aborted)).unlink();
          return true;
        },
    .describe =
        [](const lowlevel::Waiter& waiter) {
          return "task '" + static_cast<const TaskWaiter&>(waiter).target->display_name() + "'";
        },
    .awaited = [](const lowlevel::Waiter& waiter) noexcept -> const TaskSet& {
      return static_cast<const TaskWaiter&>(waiter).set;
    }};

// The tasks that a parked task waits for, or null.
const TaskSet* awaited_by(const TaskControl& task) noexcept {
  const lowlevel::Waiter* waiter = task.waiter;
  if (waiter == nullptr || waiter->reason->awaited == nullptr) return nullptr;
  return &waiter->reason->awaited(*waiter);
}

}  // namespace

// The tasks are walked only if somebody awaits `self` and a target awaits somebody: otherwise no
// chain can lead back.
void check_awaitable(TaskControl& self, const TaskSet& targets, const char* call) {
  for (std::size_t i = 0; i < targets.count; ++i) {
    const TaskControl& target = *targets.tasks[i];
    if (&target == &self) {
      throw DeadlockError(std::string{call} + ": task '" + self.display_name() +
                          "' cannot wait for itself; wait for it in another task");
    }
    if (target.scheduler != self.scheduler && !target.done()) {
      throw InvalidStateError(
          std::string{call} + ": task '" + target.display_name() +
          "' runs on another event loop; send its result over with call_soon_threadsafe(...)");
    }
  }
  if (self.completions.empty()) return;
  const auto innocent = [](const TaskControl* target) { return awaited_by(*target) == nullptr; };
  if (std::all_of(targets.tasks, targets.tasks + targets.count, innocent)) return;
  std::map<const TaskControl*, const TaskControl*> awaiter;  // how each was reached
  std::vector<const TaskControl*> to_visit;
  const auto reach = [&](const TaskControl& from, const TaskControl& to) {
    if (awaiter.emplace(&to, &from).second) to_visit.push_back(&to);
  };
  for (std::size_t i = 0; i < targets.count; ++i) reach(self, *targets.tasks[i]);
  while (!to_visit.empty() && !awaiter.contains(&self)) {
    const TaskControl& task = *to_visit.back();
    to_visit.pop_back();
    const TaskSet* const next = awaited_by(task);
    for (std::size_t i = 0; next != nullptr && i < next->count; ++i) reach(task, *next->tasks[i]);
  }
  if (!awaiter.contains(&self)) return;
  std::vector<const TaskControl*> chain{&self};
  for (const TaskControl* at = awaiter.at(&self); at != &self; at = awaiter.at(at)) {
    chain.push_back(at);
  }
  std::string message = call;
  message.append(" would close a cycle: '").append(self.display_name()).append("' awaits '");
  for (std::size_t i = chain.size(); i-- > 0;) {
    message.append(chain[i]->display_name()).append(i == 0 ? "'" : "', which awaits '");
  }
  throw DeadlockError(message);
}

lowlevel::Wake park_until_ended(lowlevel::CurrentTask self, TaskControl& target,
                                const TimePoint* deadline) {
  TaskWaiter waiter{target};
  return deadline == nullptr ? self.park(waiter) : self.park_until(waiter, *deadline);
}

void join_task(TaskControl& target, const char* call) {
  lowlevel::CurrentTask self = lowlevel::enter(call);
  if (target.done()) return self.spend();
  // Only if somebody awaits `self` can there be a cycle; see check_awaitable().
  const TaskControl& me = self.control();
  if (&target == &me || target.scheduler != me.scheduler || !me.completions.empty()) {
    TaskControl* const targets[] = {&target};
    check_awaitable(self.control(), {targets, 1}, call);
  }
  self.checked(park_until_ended(self, target, nullptr));
}

void throw_no_result(TaskControl& control) {
  switch (control.state()) {
    case TaskState::failed:
      control.mark_observed();
      std::rethrow_exception(control.exception);
    case TaskState::cancelled: {
      std::shared_ptr<const CancelCause> cause = control.own_scope.cause;
      std::string message = "task '" + control.display_name() + "' was cancelled (";
      message += to_string(cause->reason);
      if (!cause->text.empty()) message += ": " + cause->text;
      if (!cause->source.empty()) message += "; by '" + cause->source + "'";
      throw TaskCancelledException(message + ")", std::move(cause));
    }
    default:
      throw InvalidStateError("result(): task '" + control.display_name() +
                              "' has not ended yet; await(task) first");
  }
}

}  // namespace asyncio::detail

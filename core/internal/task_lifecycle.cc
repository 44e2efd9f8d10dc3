// A task from its making to its end.
#include <algorithm>
#include <atomic>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include <asyncio/core/detail/observation_hooks.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/internal/cancelled_access.h>
#include <asyncio/core/internal/loop.h>
#include <asyncio/core/task.h>

namespace asyncio::detail {
namespace {

// Loops take numbers by the dozen: one that is shared between threads is dear to count up.
constexpr std::uint64_t ids_at_once = 64;
std::atomic<std::uint64_t> first_free_id{1};

// Drops the last reference to a failed task on the loop's thread, which may have to report it.
struct DisposePost : Post {
  explicit DisposePost(TaskControl& counted) noexcept
      : Post([](Post& post, Loop*) {
          const std::unique_ptr<DisposePost> self{static_cast<DisposePost*>(&post)};
          self->task->drop_ref();
        }),
        task(&counted) {}
  TaskControl* task;
};

// Stacks lie a multiple of 16 KiB apart, so their busiest lines would all fall into the same few sets
// of the caches: each begins a few lines further down than its neighbour.
std::uintptr_t stack_colour(std::uintptr_t top) noexcept {
  constexpr std::uintptr_t line = 64;
  constexpr std::uintptr_t colours = 16;
  return (top >> 14) % colours * line;
}

}  // namespace

std::atomic<const ObservationHooks*> observation_hooks{nullptr};

ContextBase::~ContextBase() = default;

void schedule_done_callback(Loop& loop, UniqueFunction<void()> callback) {
  loop.call_soon([&loop, f = std::move(callback)]() mutable {
    try {
      f();
    } catch (...) {
      loop.report("a done callback threw", std::current_exception(), nullptr);
    }
  });
}

// ---- Making ----------------------------------------------------------------------------------------

Scope& current_owner_scope(const char* call) {
  Loop* loop = Loop::current();
  if (loop == nullptr) [[unlikely]] {
    throw NoRunningLoopError(std::string{call} +
                             " needs a running loop on this thread: call it inside "
                             "asyncio::run(...), or use loop.create_task(...)");
  }
  TaskControl* self = loop->current_task();
  return self == nullptr ? loop->root() : self->scope->owner();
}

StackPool& Loop::unusual_stacks_of(std::size_t usable_size) {
  // What a task needs to start and to report its own failure; less would overflow at once.
  constexpr std::size_t smallest = 16 * 1024;
  const std::size_t size = whole_pages(std::max(usable_size, smallest));
  std::unique_ptr<StackPool>& pool = pools_[size];
  if (pool == nullptr) pool = std::make_unique<StackPool>(size);
  return *pool;
}

namespace {

// Out of the way of tasks that have no name.
[[gnu::noinline]] void set_name(TaskControl& control, std::string_view name) {
  control.name = name;
}

[[gnu::noinline]] void inherit_context(TaskControl& control, ContextBase& of_maker) {
  control.context = of_maker.inherit();
}

[[gnu::noinline]] void check_may_start(const Scope& scope) {
  if (scope.ended) {
    throw InvalidStateError(
        "create_task in scope '" + scope.name +
        "', which has ended: start tasks while the scope is open, or in an outer one");
  }
  if (scope.loop.on_own_thread()) return;
  throw InvalidStateError(
      "create_task from a thread that is not the loop's: use call_soon_threadsafe(...) and "
      "create the task there");
}

}  // namespace

void* prepare_task(TaskControl& control, Scope& scope, std::string_view name,
                   std::size_t stack_size, TaskPriority priority, std::size_t size,
                   std::size_t alignment) {
  Loop& loop = scope.loop;
  if (scope.ended || running_loop != &loop) check_may_start(scope);
  if (!name.empty()) set_name(control, name);
  StackPool& pool = loop.stacks_of(stack_size);
  control.fiber.top = pool.acquire();
  control.fiber.size = pool.usable_size();
  control.loop = &loop;
  control.inbox = &loop.reactor().inbox();
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
  control.loop->stacks_of(control.fiber.size).release(control.fiber.top);
  control.loop = nullptr;
}

namespace {

// In a scope that is being cancelled, or may not go on.
[[gnu::cold]] void start_cancelled(TaskControl& control, const Scope& scope,
                                   const TaskControl* maker) noexcept {
  // Made by a cleanup that no cancel may reach: nor may one that was there before reach it (C33).
  if (maker != nullptr && (maker->no_cancel != 0 || control.loop->unwinding())) {
    control.own_scope.shield = true;
  } else if (scope.joining) {
    cancel_node(control.own_scope, CancelReason::parent, "its scope is ending");
  }
  refresh_effective(control.own_scope);
}

}  // namespace

void start_task(TaskControl& control) noexcept {
  Loop& loop = *control.loop;
  Scope& scope = static_cast<Scope&>(*control.own_scope.parent);
  make_fiber(control.fiber, static_cast<std::byte*>(control.closure));
  control.id = loop.next_task_id();
  scope.child_started(control.own_scope);
  TaskControl* maker = loop.current_task();
  if (maker != nullptr && maker->context != nullptr) inherit_context(control, *maker->context);
  if (scope.effective || scope.joining) [[unlikely]]
    start_cancelled(control, scope, maker);
  loop.task_created(control);
  loop.make_ready(control);
}

void Loop::take_task_ids() noexcept {
  next_id_ = first_free_id.fetch_add(ids_at_once, std::memory_order_relaxed);
  end_of_ids_ = next_id_ + ids_at_once;
}

void Loop::task_created(TaskControl& task) noexcept {
  ++created_count_;
  ++alive_count_;
  task.created = stamp();
  tell_of_task(task, TaskMoment::created);
}

// ---- Running ---------------------------------------------------------------------------------------

TimePoint Loop::stamp() noexcept {
  if (exact_stamps_) [[unlikely]]
    return stamp_ = reactor_.now();
  timespec coarse{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &coarse);
  const std::int64_t tick = coarse.tv_sec * 1'000'000'000 + coarse.tv_nsec;
  if (tick != stamp_tick_) {
    stamp_tick_ = tick;
    stamp_ = Clock::now();
  }
  return stamp_;
}

void run_current_task() noexcept {
  Loop& loop = *Loop::current();
  TaskControl& task = *loop.current_task();
  const bool run = !task.own_scope.effective;
  if (run) {
    task.set_state(TaskState::running);
    loop.task_started(task);
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
  while (HeldLock* lock = task.held_locks.pop_front()) lock->owner_died(*lock);
  loop.task_ended(task, end);
}

void Loop::task_started(TaskControl& task) noexcept {
  task.started = stamp();
  tell_of_task(task, TaskMoment::started);
}

void Loop::task_ended(TaskControl& task, TaskState end) noexcept {
  // In this order (semantics.md, "At a task's end"): state, event, waiters, group, done callbacks.
  task.completed = stamp();
  task.set_state(end);
  tell_of_task(task, end == TaskState::completed ? TaskMoment::completed
                     : end == TaskState::failed  ? TaskMoment::failed
                                                 : TaskMoment::cancelled);
  while (CompletionNode* node = task.completions.pop_front()) node->notify(*node, task);
  Scope& scope = static_cast<Scope&>(*task.own_scope.parent);
  scope.child_ended(task);
  if (end == TaskState::failed && !task.observed) scope.failed.push_back(task.own_scope);
  if (task.done_callbacks != nullptr) [[unlikely]]
    schedule_done_callbacks(task);
  --alive_count_;
  if (&task == main_) slice_ = 0;  // whoever is ready has one turn more, no slice of them
  StackPool& stacks = stacks_of(task.fiber.size);
  std::byte* const top = task.fiber.top;
  if constexpr (under_asan || under_tsan) dying_ = task.fiber;
  current_ = nullptr;  // what the result's destructor does happens in no task
  task.drop_ref();
  // The pool touches no stack memory, so the stack may go back while we are still on it.
  stacks.release(top);
  leave(dying_);
}

[[gnu::cold]] void Loop::schedule_done_callbacks(TaskControl& task) noexcept {
  for (auto& callback : *task.done_callbacks) schedule_done_callback(*this, std::move(callback));
  task.done_callbacks.reset();
}

// ---- Ending ----------------------------------------------------------------------------------------

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
    // Whether somebody has looked is for the loop's thread to know, and its lists may name us.
    auto post = std::make_unique<DisposePost>(*this);
    if (!inbox->push(*post)) return false;
    static_cast<void>(post.release());
    return true;
  }
  if (observed) return false;
  mark_observed();
  loop->report("task '" + display_name() + "' failed and nobody awaited it", exception, this);
  drop_ref();  // not delete: the handler may have kept a handle
  return true;
}

void TaskControl::last_ref_gone() noexcept {
  if (state() == TaskState::failed && failure_goes_on()) [[unlikely]]
    return;
  delete this;
}

// ---- Waiting for a task ----------------------------------------------------------------------------

namespace {

struct TaskWaiter : Waiter, CompletionNode {
  explicit TaskWaiter(TaskControl& target) noexcept
      : Waiter(WaitKind::task, &target), CompletionNode([](CompletionNode& node, TaskControl&) {
          wake(static_cast<TaskWaiter&>(node));
        }) {}
};

// Calls `visit` for each task that a parked task waits for.
template <class Visit>
void for_each_awaited(const TaskControl& task, Visit&& visit) {
  const Waiter* waiter = task.waiter;
  if (waiter == nullptr) return;
  if (waiter->kind == WaitKind::task) {
    visit(*static_cast<const TaskControl*>(waiter->object));
  } else if (waiter->kind == WaitKind::tasks) {
    const TaskSet& set = *static_cast<const TaskSet*>(waiter->object);
    for (std::size_t i = 0; i < set.count; ++i) visit(*set.tasks[i]);
  }
}

bool awaits_tasks(const TaskControl& task) noexcept {
  return task.waiter != nullptr &&
         (task.waiter->kind == WaitKind::task || task.waiter->kind == WaitKind::tasks);
}

}  // namespace

// Walked only if somebody awaits `self` and a target awaits somebody: else no chain can lead back.
void check_awaitable(TaskControl& self, const TaskSet& targets, const char* call) {
  for (std::size_t i = 0; i < targets.count; ++i) {
    const TaskControl& target = *targets.tasks[i];
    if (&target == &self) {
      throw DeadlockError(std::string{call} + " of task '" + self.display_name() +
                          "' by itself would never end: await it from another task");
    }
    if (target.loop != self.loop && !target.done()) {
      throw InvalidStateError(std::string{call} + " of task '" + target.display_name() +
                              "', which runs on another loop: send its result over with "
                              "call_soon_threadsafe(...)");
    }
  }
  if (self.completions.empty()) return;
  const auto innocent = [](const TaskControl* target) { return !awaits_tasks(*target); };
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
    for_each_awaited(task, [&](const TaskControl& next) { reach(task, next); });
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

void join_task(TaskControl& target, const char* call) {
  TaskControl& self = enter_wait(call);
  if (target.done()) {
    spend_budget(self);
    return;
  }
  // Only if somebody awaits `self` can there be a cycle; see check_awaitable().
  if (&target == &self || target.loop != self.loop || !self.completions.empty()) {
    TaskControl* const targets[] = {&target};
    check_awaitable(self, {targets, 1}, call);
  }
  TaskWaiter waiter{target};
  waiter.abort = [](Waiter& aborted) noexcept {
    static_cast<CompletionNode&>(static_cast<TaskWaiter&>(aborted)).unlink();
    return true;
  };
  target.completions.push_back(waiter);
  rethrow_cancel(self, suspend(self, waiter));
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
      throw InvalidStateError("result of task '" + control.display_name() +
                              "', which has not ended: await(task) first");
  }
}

}  // namespace asyncio::detail

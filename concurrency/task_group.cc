#include <asyncio/concurrency/task_group.h>

#include <asyncio/core/detail/observation_hooks.h>
#include <asyncio/core/detail/of_loop.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/lowlevel/checkpoint.h>

namespace asyncio {
namespace {

void react_to_end(detail::Scope& scope, detail::TaskControl& child) {
  if (child.state() != TaskState::failed) return;
  child.mark_observed();  // the group reports it
  static_cast<detail::GroupScope&>(scope).fail(child.exception);
}

}  // namespace

// ---- GroupScope ---------------------------------------------------------------------------------

detail::GroupScope::GroupScope(Scheduler& owner) noexcept : Scope(owner) {
  name = "TaskGroup";
  entered = true;  // its owner alone may enter it
  on_child_end = &react_to_end;
  on_ended_from_outside = [](Scope& scope) { static_cast<GroupScope&>(scope).report_failures(); };
}

void detail::GroupScope::fail(std::exception_ptr exception) {
  failures.push_back(std::move(exception));
  closed = true;
  cancel_node(*this, CancelReason::sibling_failed, {});
}

void detail::GroupScope::throw_failures() {
  if (failures.empty()) return;
  auto fetched = std::exchange(failures, {});
  const std::size_t count = fetched.size();
  throw ExceptionGroup(
      "TaskGroup: " + std::to_string(count) + (count == 1 ? " task failed" : " tasks failed"),
      std::move(fetched));
}

void detail::GroupScope::report_failures() noexcept {
  for (std::exception_ptr& failure : std::exchange(failures, {})) {
    report(scheduler,
           "a task of a TaskGroup failed, and the group ended before wait_all() reported it",
           failure);
  }
}

void detail::GroupScope::outlive_owner() noexcept {
  static constexpr auto end = [](Scope& scope) {
    auto& group = static_cast<GroupScope&>(scope);
    if (!group.ending) tell_of_scope(group, ScopeMoment::left);  // else it has been told
    group.report_failures();
    group.unlink();
    delete &group;
  };
  on_ended_from_outside = end;
  on_child_end = [](Scope& scope, TaskControl& child) {
    react_to_end(scope, child);
    // With resources to close, it waits for the scope around it to end, where they can be closed.
    if (scope.living == 0 && !scope.ending && scope.on_leave == nullptr) end(scope);
  };
}

// ---- TaskGroup ----------------------------------------------------------------------------------

TaskGroup::TaskGroup() {
  detail::TaskControl& self = lowlevel::enter_shielded("TaskGroup").control();
  scope_ = std::make_unique<detail::GroupScope>(*self.scheduler);
  // Placed below the scope it is made in, to get cancels from outside; not around the owner's code.
  scope_->parent = self.scope;
  self.scope->children.push_back(*scope_);
  scope_->effective = scope_->visible_parent_cancelled();
  detail::tell_of_scope(*scope_, detail::ScopeMoment::entered);
}

TaskGroup::TaskGroup(Nursery) {
  detail::TaskControl& self = lowlevel::enter_shielded("TaskGroup::run").control();
  scope_ = std::make_unique<detail::GroupScope>(*self.scheduler);
  scope_->enter(self);
}

TaskGroup::~TaskGroup() {
  scope_->closed = true;
  if (scope_->living != 0) {
    detail::cancel_node(*scope_, CancelReason::abandoned, "its TaskGroup was destroyed");
  }
  detail::TaskControl* self = detail::current_task_control();
  const bool may_wait = self != nullptr && self->no_suspend == 0;
  if (may_wait) join_shielded(*self);
  const bool in_other_hands = scope_->ending && scope_->parent != nullptr;
  const bool has_resources = scope_->on_leave != nullptr && !scope_->ended;
  if (scope_->living != 0 || in_other_hands || (has_resources && !may_wait)) {
    scope_.release()->outlive_owner();
    return;
  }
  if (has_resources) {
    const lowlevel::NoCancel shielded{*self};
    scope_->ended = true;
    scope_->on_leave(*scope_, scope_->effective);
  }
  const bool nursery = scope_->task != nullptr;
  if (!nursery && !scope_->ending) detail::tell_of_scope(*scope_, detail::ScopeMoment::left);
  scope_->report_failures();
  scope_->unlink();
}

void TaskGroup::check_open() const {
  const auto refuse = [] {
    throw InvalidStateError(
        "TaskGroup::spawn: the group is closed; spawn before close(), and before wait_all() "
        "returns");
  };
  if (scope_->ended) refuse();  // first: the loop may be gone
  detail::check_here(scope_->scheduler, "TaskGroup::spawn", "group");
  if (!scope_->failures.empty()) {
    throw InvalidStateError(
        "TaskGroup::spawn: a task of the group has failed, and the others are being cancelled; "
        "wait_all() throws the failure");
  }
  if (is_closed()) refuse();
}

void TaskGroup::join_shielded(detail::TaskControl& self) {
  const lowlevel::NoCancel shielded{self};
  scope_->join(self);
}

// Cancels the tasks, not the group, which has ended well.
void TaskGroup::end_background(detail::TaskControl& self) {
  if (scope_->living == 0) return;
  scope_->children.for_each([](detail::ScopeNode& child) {
    if (child.is_task) detail::cancel_node(child, CancelReason::parent, "its group ended");
  });
  join_shielded(self);
}

void TaskGroup::wait_all() {
  lowlevel::CurrentTask self = lowlevel::enter("TaskGroup::wait_all");
  lowlevel::Wake outcome = lowlevel::Wake::completed;
  if (scope_->living == 0) {
    self.spend();
  } else {
    outcome = scope_->join_foreground(self.control());
    if (outcome == lowlevel::Wake::cancelled) {
      detail::cancel_node(*scope_, CancelReason::parent, "its owner was cancelled");
      join_shielded(self.control());
    } else {
      end_background(self.control());
    }
  }
  scope_->closed = true;
  scope_->throw_failures();
  self.checked(outcome);
}

void TaskGroup::fail_body(std::exception_ptr exception) { scope_->fail(std::move(exception)); }

bool TaskGroup::join_and_leave() {
  detail::TaskControl& self = *scope_->task;
  // Cancellable, so that a failing child or a cancel from outside gets through to the wait.
  const bool cut_short = scope_->join_foreground(self) == lowlevel::Wake::cancelled;
  if (cut_short) {
    join_shielded(self);
  } else {
    end_background(self);
  }
  scope_->closed = true;
  scope_->leave(self);
  const bool ours = scope_->absorbs();
  if (ours) {
    self.swallowed = 0;
    self.swallow_reported = false;
  }
  scope_->throw_failures();
  return cut_short && !ours;
}

void TaskGroup::finish() {
  detail::TaskControl& self = *scope_->task;
  if (join_and_leave()) lowlevel::CurrentTask{self}.throw_cancelled();
}

void TaskGroup::finish_without_result(std::exception_ptr interrupted) {
  join_and_leave();
  if (!scope_->absorbs()) std::rethrow_exception(std::move(interrupted));
  scope_->caught = true;
  if (scope_->deadline_hit) throw TimeoutException("the TaskGroup ran past its deadline");
  std::string message = "the TaskGroup was cancelled";
  if (!scope_->cause->text.empty()) message += ": " + scope_->cause->text;
  throw TaskCancelledException(message, scope_->cause);
}

void TaskGroup::cancel(std::string_view reason) {
  if (!scope_->ended) detail::cancel_node(*scope_, CancelReason::user, std::string{reason});
}

std::vector<AnyTask> TaskGroup::tasks() const {
  std::vector<AnyTask> handles;
  scope_->children.for_each([&](detail::ScopeNode& node) {
    if (node.is_task) handles.emplace_back(detail::TaskRef::share(*node.task));
  });
  return handles;
}

}  // namespace asyncio

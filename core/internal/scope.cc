// The scope tree: cancelling, shielding, joining.  Every walk is iterative: a tree may be 10,000
// deep.
#include <asyncio/core/detail/scope.h>

#include <utility>

#include <asyncio/core/detail/observation_hooks.h>
#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/internal/delivery.h>
#include <asyncio/core/internal/failures.h>
#include <asyncio/core/internal/scheduler.h>

namespace asyncio::detail {
namespace {

using lowlevel::NoCancel;
using lowlevel::Wake;

struct JoinPlace : lowlevel::WaitQueue::Place {
  explicit JoinPlace(const Scope& joined) noexcept : Place(kind), scope(joined) {}

  static std::string describe(const Waiter& waiter) {
    return "scope '" + static_cast<const JoinPlace&>(waiter).scope.name + "' to end";
  }
  static constexpr lowlevel::WaitQueue::Kind kind{"scope", nullptr, &describe};

  const Scope& scope;
};

Wake park_joiner(Scope& scope, TaskControl& self) {
  JoinPlace place{scope};
  scope.joiners.push_back(place);
  return lowlevel::CurrentTask{self}.park(place);
}

// Ends the wait that the task is in, if this node's cancel is the one it would see there.
void deliver(ScopeNode& node) noexcept {
  TaskControl* task = node.task;
  if (task == nullptr || task->scope != &node || task->waiter == nullptr) return;
  lowlevel::Waiter& waiter = *task->waiter;
  if (!waiter.cancellable) return;
  waiter.cancellable = false;  // it is asked at most once
  if (undo_wait(waiter)) lowlevel::wake(waiter, Wake::cancelled);
}

// The first reason stays: a deadline that passes while the scope is being cancelled ends nothing.
void deadline_passed(TimerNode& node) {
  Scope& scope = static_cast<ScopeTimer&>(node).scope;
  scope.deadline_hit = !scope.effective;
  cancel_node(scope, CancelReason::deadline, {});
}

}  // namespace

std::shared_ptr<const CancelCause> ScopeNode::visible_cause() const {
  bool beyond_task = false;
  for (const ScopeNode* node = this; node != nullptr; node = node->parent) {
    if (node->cancel_called) {
      if (!beyond_task || node->cause->reason != CancelReason::user) return node->cause;
      auto seen = std::make_shared<CancelCause>(*node->cause);
      seen->reason = CancelReason::parent;
      return seen;
    }
    if (node->shield) break;
    beyond_task = beyond_task || node->is_task;
  }
  return std::make_shared<const CancelCause>();
}

void refresh_effective(ScopeNode& top) noexcept {
  ScopeNode* node = &top;
  for (;;) {
    const bool effective = node->cancel_called ||
                           (!node->shield && node->parent != nullptr && node->parent->effective);
    const bool changed = effective != node->effective;
    node->effective = effective;
    if (node->task != nullptr && node->task->scope == node) node->task->cancel_pending = effective;
    if (changed && effective) deliver(*node);
    if (changed && !node->children.empty()) {
      node = node->children.front();
      continue;
    }
    // The next node in depth-first order, without leaving `top`.
    for (;;) {
      if (node == &top) return;
      ScopeNode* parent = node->parent;
      if (node->next != parent->children.end()) {
        node = static_cast<ScopeNode*>(node->next);
        break;
      }
      node = parent;
    }
  }
}

namespace {

std::shared_ptr<const CancelCause> new_cause(CancelReason reason, std::string text) {
  auto cause = std::make_shared<CancelCause>();
  cause->reason = reason;
  cause->text = std::move(text);
  const TaskControl* const self = current_task_control();
  if (self != nullptr && reason != CancelReason::deadline) cause->source = self->display_name();
  return cause;
}

}  // namespace

void cancel_node(ScopeNode& node, CancelReason reason, std::string text) {
  if (node.cancel_called) return;
  node.cause = node.effective ? node.visible_cause() : new_cause(reason, std::move(text));
  node.cancel_called = true;
  if (!node.is_task) tell_of_scope(static_cast<Scope&>(node), ScopeMoment::cancelled);
  refresh_effective(node);
}

void expire_deadlines_around(ScopeNode& innermost) noexcept {
  Reactor& reactor = innermost.task->scheduler->reactor();
  const TimePoint now = reactor.now();
  if (reactor.timers().earliest() > now) return;
  for (ScopeNode* node = &innermost; node != nullptr; node = node->parent) {
    if (node->is_task) continue;
    ScopeTimer& deadline = static_cast<Scope*>(node)->deadline;
    if (!deadline.armed() || deadline.deadline > now) continue;
    reactor.timers().disarm(deadline);
    deadline_passed(deadline);
  }
}

Scope::Scope(Scheduler& owner) noexcept : scheduler(owner), deadline(*this, &deadline_passed) {}

Scope::~Scope() {
  // Unless it is armed, the loop may be gone.
  if (deadline.armed()) scheduler.reactor().timers().disarm(deadline);
  failed.for_each([](ScopeNode& node) { node.unlink(); });
  if (destroy_face != nullptr) destroy_face(face);
}

void Scope::enter(TaskControl& self) {
  entered = true;
  task = &self;
  parent = self.scope;
  parent->children.push_back(*this);
  effective = cancel_called || visible_parent_cancelled();
  self.set_scope(*this);
  tell_of_scope(*this, ScopeMoment::entered);
}

Wake Scope::join(TaskControl& self) {
  while (living != 0) {
    if (const Wake outcome = park_joiner(*this, self); outcome != Wake::completed) return outcome;
  }
  return Wake::completed;
}

Wake Scope::join_foreground(TaskControl& self) {
  while (living != background) {
    if (const Wake outcome = park_joiner(*this, self); outcome != Wake::completed) return outcome;
  }
  return Wake::completed;
}

void Scope::leave(TaskControl& self) {
  scheduler.reactor().timers().disarm(deadline);
  const bool cancelled_before = effective;
  joining = true;
  if (!children.empty() || on_leave != nullptr) {
    const NoCancel shielded{self};
    // What is left inside is cancelled, but not the scope itself, which must not absorb that
    // cancel.
    children.for_each(
        [](ScopeNode& child) { cancel_node(child, CancelReason::parent, "its scope ended"); });
    join(self);
    end_groups_below(*this, self);
    if (on_leave != nullptr) on_leave(*this, cancelled_before);
  }
  ended = true;
  unlink();
  self.set_scope(*parent);
  tell_of_scope(*this, ScopeMoment::left);
  while (ScopeNode* node = failed.pop_front())
    scheduler.rooms().failures.report_ignored(*node->task);
}

void end_groups_below(ScopeNode& node, TaskControl& self) {
  const NoCancel shielded{self};
  while (ScopeNode* child = node.children.front()) {
    auto& group = static_cast<Scope&>(*child);  // every task has been joined, so it is a group
    group.ending = true;
    group.joining = true;
    cancel_node(group, CancelReason::parent, "the scope it was made in ended");
    group.join(self);
    group.ended = true;
    if (group.on_leave != nullptr) group.on_leave(group, true);
    group.scheduler.reactor().timers().disarm(group.deadline);
    tell_of_scope(group, ScopeMoment::left);
    group.unlink();
    group.parent = nullptr;
    if (group.on_ended_from_outside != nullptr) group.on_ended_from_outside(group);
  }
}

void Scope::set_shield(bool on) noexcept {
  if (shield == on) return;
  shield = on;
  if (!ended) refresh_effective(*this);  // else its task may be gone
}

void Scope::set_deadline(TimePoint when) {
  TimerQueue& timers = scheduler.reactor().timers();
  timers.disarm(deadline);
  if (when == TimePoint::max() || cancel_called || ended) {
    deadline.deadline = when;
    return;
  }
  if (when <= scheduler.reactor().now()) {
    deadline.deadline = when;
    deadline_passed(deadline);
    return;
  }
  timers.arm(deadline, when);
  scheduler.work_came();
}

void Scope::child_ended(TaskControl& child) noexcept {
  child.own_scope.unlink();
  child.own_scope.parent = nullptr;
  --living;
  if (child.background) --background;
  if (living == background) joiners.wake_all();
  if (on_child_end != nullptr) on_child_end(*this, child);
}

}  // namespace asyncio::detail

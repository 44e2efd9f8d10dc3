// The scope tree: cancelling, shielding, joining.  Every walk is iterative: a tree may be 10,000 deep.
#include <asyncio/core/detail/scope.h>

#include <asyncio/core/detail/observation_hooks.h>
#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/internal/loop.h>

namespace asyncio::detail {
namespace {

// Whatever the task waits in is ended, if it is this node's cancel that it would see there.
void deliver(ScopeNode& node) noexcept {
  TaskControl* task = node.task;
  if (task == nullptr || task->scope != &node || task->waiter == nullptr) return;
  Waiter& waiter = *task->waiter;
  if (!waiter.cancellable) return;
  waiter.cancellable = false;  // abort is asked at most once
  if (waiter.abort == nullptr || waiter.abort(waiter)) wake(waiter, Wake::cancelled);
}

void deadline_passed(TimerNode& node) {
  Scope& scope = static_cast<ScopeTimer&>(node).scope;
  scope.deadline_hit = true;
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

void cancel_node(ScopeNode& node, CancelReason reason, std::string text) {
  if (node.cancel_called) return;
  auto cause = std::make_shared<CancelCause>();
  cause->reason = reason;
  cause->text = std::move(text);
  if (const TaskControl* self = current_task_control(); self != nullptr) {
    cause->source = self->display_name();
  }
  node.cause = std::move(cause);
  node.cancel_called = true;
  if (!node.is_task) tell_of_scope(static_cast<Scope&>(node), ScopeMoment::cancelled);
  refresh_effective(node);
}

Scope::Scope(Loop& owner_loop) noexcept : loop(owner_loop), deadline(*this, &deadline_passed) {}

Scope::~Scope() {
  if (deadline.armed()) loop.reactor().timers().disarm(deadline);  // else the loop may be gone
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
    Waiter waiter{WaitKind::scope, this};
    joiners.push_back(waiter);
    if (const Wake outcome = suspend(self, waiter); outcome != Wake::completed) return outcome;
  }
  return Wake::completed;
}

void Scope::leave(TaskControl& self) {
  loop.reactor().timers().disarm(deadline);
  const bool cancelled_before = effective;
  joining = true;
  if (!children.empty() || on_leave != nullptr) {
    const NoCancel shielded{self};
    // What is left inside is cancelled, but not the scope itself: it must not absorb for it.
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
  while (ScopeNode* node = failed.pop_front()) loop.report_ignored(*node->task);
}

void end_groups_below(ScopeNode& node, TaskControl& self) {
  const NoCancel shielded{self};
  while (ScopeNode* child = node.children.front()) {
    auto& group = static_cast<Scope&>(*child);  // every task has been joined, so a group it is
    group.ending = true;
    group.joining = true;
    cancel_node(group, CancelReason::parent, "the scope it was made in ended");
    group.join(self);
    group.ended = true;
    if (group.on_leave != nullptr) group.on_leave(group, true);
    group.loop.reactor().timers().disarm(group.deadline);
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
  TimerQueue& timers = loop.reactor().timers();
  timers.disarm(deadline);
  if (when == TimePoint::max() || cancel_called || ended) {
    deadline.deadline = when;
    return;
  }
  if (when <= loop.reactor().now()) {
    deadline.deadline = when;
    deadline_hit = true;
    cancel_node(*this, CancelReason::deadline, {});
    return;
  }
  timers.arm(deadline, when);
  loop.outside_change();
}

void Scope::child_ended(TaskControl& child) noexcept {
  child.own_scope.unlink();
  child.own_scope.parent = nullptr;
  --living;
  if (living == 0) {
    while (Waiter* waiter = joiners.front()) wake(*waiter);
  }
  if (on_child_end != nullptr) on_child_end(*this, child);
}

}  // namespace asyncio::detail

// The tree of cancellation scopes: the one mechanism behind cancel(), deadlines, groups and
// shutdown.
//
// Each task has a node of its own (what Task::cancel() cancels; it adopts nothing) below the scope
// that owns the task.  Scopes entered inside the task hang below its node.  A node is *effectively
// cancelled* when it, or an ancestor visible through no shield, was cancelled; the flag is kept up
// to date on every change, so a checkpoint costs one load.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include <asyncio/core/detail/timer_node.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/export.h>
#include <asyncio/core/lowlevel/list.h>
#include <asyncio/core/lowlevel/wait_queue.h>
#include <asyncio/core/lowlevel/waiter.h>

namespace asyncio {
class CancellationScope;
}

namespace asyncio::detail {

class Scheduler;
class TaskControl;
struct Scope;

struct ScopeNode : lowlevel::ListNode {
  ScopeNode* parent = nullptr;
  lowlevel::List<ScopeNode> children;
  TaskControl* task = nullptr;               ///< the task inside it; null for a loop's root
  std::shared_ptr<const CancelCause> cause;  ///< set with cancel_called
  bool is_task = false;                      ///< a task's own node, not a Scope
  bool cancel_called = false;
  bool shield = false;
  bool effective = false;

  /// The innermost scope that may own tasks, from here outward.
  Scope& owner() noexcept;
  /// The cause a task inside this node sees, nearest first.  Requires: effective.
  std::shared_ptr<const CancelCause> visible_cause() const;
};

/// Cancels a node.  Idempotent: the first cause stays, even one that has reached it from outside.
/// Runs no user code.  Loop thread only.
ASYNCIO_API void cancel_node(ScopeNode& node, CancelReason reason, std::string text);
/// Recomputes `effective` from here down, without recursion, and delivers to whoever is parked.
ASYNCIO_API void refresh_effective(ScopeNode& top) noexcept;

/// Cancels each scope, from `innermost` outward, whose deadline has passed but which the loop has
/// not come to yet.
void expire_deadlines_around(ScopeNode& innermost) noexcept;

/// The deadline of a scope.
struct ScopeTimer : TimerNode {
  ScopeTimer(Scope& owner, void (*on_fire)(TimerNode&)) noexcept
      : TimerNode(on_fire), scope(owner) {}
  Scope& scope;
};

/// Cancels, joins (shielded) and ends the groups that are still open directly below `node`.
ASYNCIO_API void end_groups_below(ScopeNode& node, TaskControl& self);

/// A scope that owns tasks: the root of a loop, a CancellationScope, a TaskGroup.
struct ASYNCIO_API Scope : ScopeNode {
  explicit Scope(Scheduler& owner) noexcept;
  ~Scope();

  /// Makes it the current task's innermost scope.
  void enter(TaskControl& self);
  /// Cancels what is left inside, joins it (shielded), and leaves.  Requires: innermost.
  void leave(TaskControl& self);
  /// Parks the caller until no task is left inside, not even one that came after the last had ended
  /// and before the caller ran again.  Cancellable, unless under NoCancel.
  lowlevel::Wake join(TaskControl& self);
  /// The same, but tasks in the background may be left.
  lowlevel::Wake join_foreground(TaskControl& self);

  /// Is a Cancelled that reaches this scope's edge its own (rule R7)?
  bool absorbs() const noexcept { return cancel_called && !(visible_parent_cancelled()); }
  bool visible_parent_cancelled() const noexcept {
    return !shield && parent != nullptr && parent->effective;
  }

  /// Delivers a cancellation that comes into sight.
  void set_shield(bool on) noexcept;
  /// TimePoint::max() means never; a time that has passed cancels at once.
  void set_deadline(TimePoint when);

  void child_started(ScopeNode& child, bool in_background) noexcept {
    child.parent = this;
    children.push_back(child);
    ++living;
    if (in_background) ++background;
  }
  void child_ended(TaskControl& child) noexcept;

  Scheduler& scheduler;
  std::string name;
  std::size_t living = 0;      ///< tasks inside that have not ended
  std::size_t background = 0;  ///< of those, the ones that do not keep it open
  lowlevel::WaitQueue joiners;
  bool entered = false;
  bool joining = false;  ///< what is created in it now is born cancelled
  bool ending = false;   ///< a group: the scope around it is ending it, or has
  bool ended = false;
  bool deadline_hit = false;
  bool caught = false;
  /// Called after a child has ended and its waiters are woken; the group's reaction.
  void (*on_child_end)(Scope&, TaskControl&) = nullptr;
  /// Called when the scope is about to end, tasks joined: resources are closed here.
  void (*on_leave)(Scope&, bool cancelled) = nullptr;
  /// Called last, when an enclosing scope has ended this one.  It may free the scope: the owner may
  /// never come back, or only after the loop is gone.
  void (*on_ended_from_outside)(Scope&) = nullptr;
  std::shared_ptr<void> resources;  ///< the resource module's list for this scope
  ScopeTimer deadline;
  lowlevel::List<ScopeNode> failed;  ///< tasks that failed and nobody has looked at yet
  CancellationScope* face = nullptr;
  void (*destroy_face)(CancellationScope*) = nullptr;
};

/// The innermost scope here that may own tasks: the root outside a task, null where no loop runs.
ASYNCIO_API Scope* current_owner_scope() noexcept;

inline Scope& ScopeNode::owner() noexcept {
  ScopeNode* node = this;
  while (node->is_task) node = node->parent;
  return static_cast<Scope&>(*node);
}

}  // namespace asyncio::detail

#include <asyncio/concurrency/wait_for.h>

#include <sstream>
#include <string>

#include <asyncio/core/internal/loop.h>

namespace asyncio::detail {
namespace {

struct JoinWaiter : Waiter, CompletionNode {
  explicit JoinWaiter(TaskControl& target) noexcept
      : Waiter(WaitKind::task, &target), CompletionNode([](CompletionNode& node, TaskControl&) {
          wake(static_cast<JoinWaiter&>(node));
        }) {
    abort = [](Waiter& aborted) noexcept {
      static_cast<CompletionNode&>(static_cast<JoinWaiter&>(aborted)).unlink();
      return true;
    };
    target.completions.push_back(*this);
  }
};

void join_shielded(TaskControl& self, TaskControl& target) {
  if (target.done()) return;
  const NoCancel shielded{self};
  JoinWaiter waiter{target};
  suspend(self, waiter);
}

}  // namespace

void check_may_start(Duration limit) {
  enter_wait("wait_for");
  if (limit > Duration::zero()) return;
  throw TimeoutException("wait_for: no time was given, so the callable was not started");
}

void wait_for_task(TaskControl& target, Duration limit) {
  TaskControl& self = enter_wait("wait_for");
  if (target.done()) {
    spend_budget(self);
    return;
  }
  TaskControl* const targets[] = {&target};
  check_awaitable(self, {targets, 1}, "wait_for");
  Wake outcome = Wake::completed;
  {
    JoinWaiter waiter{target};
    outcome = suspend_until(self, waiter, deadline_after(self.loop->reactor().now(), limit));
  }
  if (outcome == Wake::completed) return;
  const bool late = outcome == Wake::timed_out;
  cancel_node(target.own_scope, late ? CancelReason::deadline : CancelReason::abandoned,
              late ? "wait_for ran out of time" : "its wait_for was cancelled");
  join_shielded(self, target);
  rethrow_cancel(self, outcome);
  if (target.state() != TaskState::cancelled) return;
  if (self.cancel_pending) enter_wait("wait_for");  // cancelled while it joined: that comes first
  std::ostringstream message;
  message << "wait_for: task '" << target.display_name() << "' did not end within "
          << std::chrono::duration<double>(limit).count() << " s";
  throw TimeoutException(message.str());
}

}  // namespace asyncio::detail

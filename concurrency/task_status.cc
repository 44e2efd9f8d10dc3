#include <asyncio/concurrency/task_status.h>

#include <asyncio/concurrency/detail/awaited.h>
#include <asyncio/concurrency/wait.h>
#include <asyncio/core/lowlevel/checkpoint.h>

namespace asyncio::detail {

void wait_until_started(FutureState& ready, TaskControl& child) {
  try {
    wait_for_some({Awaited{ready}, Awaited{child}}, ReturnWhen::first_completed,
                  "TaskGroup::start");
  } catch (const Cancelled&) {
    cancel_node(child.own_scope, CancelReason::abandoned, "its start() was cancelled");
    lowlevel::CurrentTask self = lowlevel::enter_shielded("TaskGroup::start");
    const lowlevel::NoCancel shielded{self};
    if (!child.done()) park_until_ended(self, child, nullptr);
    throw;
  }
  if (!ready.is_done()) throw_no_result(child);
}

void settle_unstarted(FutureState& ready) {
  if (ready.is_done()) return;
  ready.set_exception(std::make_exception_ptr(
      InvalidStateError("TaskGroup::start: the task returned without a call of started(): call it "
                        "when others may go on")));
}

}  // namespace asyncio::detail

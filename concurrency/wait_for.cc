#include <asyncio/concurrency/wait_for.h>

#include <sstream>
#include <string>

#include <asyncio/core/lowlevel/loop.h>

namespace asyncio::detail {

using lowlevel::Wake;

namespace {

[[noreturn]] void throw_late(const std::string& what, Duration limit) {
  std::ostringstream message;
  message << "wait_for: " << what << " within " << std::chrono::duration<double>(limit).count()
          << " s";
  throw TimeoutException(message.str());
}

}  // namespace

void check_has_time(Duration limit) {
  lowlevel::enter("wait_for");
  if (limit > Duration::zero()) return;
  throw TimeoutException("wait_for: the limit is zero or less, so the callable was not started");
}

void wait_for_task(TaskControl& target, Duration limit) {
  lowlevel::CurrentTask self = lowlevel::enter("wait_for");
  if (target.done()) return self.spend();
  TaskControl* const targets[] = {&target};
  check_awaitable(self.control(), {targets, 1}, "wait_for");
  const TimePoint deadline = deadline_after(lowlevel::now("wait_for"), limit);
  const Wake outcome = park_until_ended(self, target, &deadline);
  if (outcome == Wake::completed) return;
  const bool late = outcome == Wake::timed_out;
  const bool cancelled_before = target.own_scope.effective;
  cancel_node(target.own_scope, late ? CancelReason::deadline : CancelReason::abandoned,
              late ? "wait_for ran out of time" : "its wait_for was cancelled");
  if (!target.done()) {
    const lowlevel::NoCancel shielded{self};
    park_until_ended(self, target, nullptr);
  }
  self.checked(outcome);
  if (target.state() != TaskState::cancelled) return;
  lowlevel::enter("wait_for");   // a cancel during the join comes first
  if (cancelled_before) return;  // the first reason stays, and the result tells it
  throw_late("task '" + target.display_name() + "' did not end", limit);
}

void wait_for_future(FutureState& target, Duration limit) {
  const TimePoint deadline = deadline_after(lowlevel::now("wait_for"), limit);
  if (!target.wait("wait_for", &deadline)) throw_late("the future was not set", limit);
}

}  // namespace asyncio::detail

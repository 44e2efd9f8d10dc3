#include <asyncio/concurrency/gather.h>

#include <unordered_map>

#include <asyncio/concurrency/detail/task_set_waiter.h>
#include <asyncio/core/errors.h>

namespace asyncio::detail {
namespace {

using lowlevel::Wake;

struct GatherWait;

// One distinct task among the inputs.
struct Member : CompletionNode {
  Member(GatherWait& owner, TaskControl& which, std::size_t place) noexcept
      : CompletionNode(&Member::ended), gather(owner), task(which), index(place) {}
  static void ended(CompletionNode& node, TaskControl& task);

  GatherWait& gather;
  TaskControl& task;
  std::size_t index;  // its first place
};

struct GatherWait : TaskSetWaiter {
  GatherWait(const std::vector<TaskControl*>& inputs, bool cancel_on_failure)
      : TaskSetWaiter(wait_reason, inputs), fail_fast(cancel_on_failure) {}

  static constexpr lowlevel::WaitReason wait_reason =
      TaskSetWaiter::reason_with([](Waiter&) noexcept { return true; });

  // The reaction to a member's end; runs no user code.
  void member_ended(Member& member) {
    --pending;
    if (member.task.state() != TaskState::completed) {
      failed.push_back(member.index);
      if (fail_fast) cancel_rest(CancelReason::sibling_failed, {});
    }
    if (pending == 0 && task != nullptr) lowlevel::wake(*this);
  }

  void cancel_rest(CancelReason why, const char* text) {
    if (cancelled_rest) return;
    cancelled_rest = true;
    for (const auto& member : members) {
      if (!member->task.done())
        cancel_node(member->task.own_scope, why, text == nullptr ? "" : text);
    }
  }

  bool fail_fast;
  bool cancelled_rest = false;
  std::size_t pending = 0;
  std::vector<std::unique_ptr<Member>> members;
  std::vector<std::size_t> failed;
};

void Member::ended(CompletionNode& node, TaskControl&) {
  auto& member = static_cast<Member&>(node);
  member.gather.member_ended(member);
}

}  // namespace

bool gather_wait(const std::vector<TaskControl*>& inputs, GatherStrategy strategy,
                 GatherReport& report) {
  if (inputs.empty()) return false;
  lowlevel::CurrentTask self = lowlevel::enter("gather");
  check_awaitable(self.control(), {inputs.data(), inputs.size()}, "gather");

  GatherWait wait{inputs, strategy == GatherStrategy::fail_fast};
  std::unordered_map<TaskControl*, std::size_t> first_place;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!first_place.emplace(inputs[i], i).second) continue;
    wait.members.push_back(std::make_unique<Member>(wait, *inputs[i], i));
    ++wait.pending;
  }
  for (const auto& member : wait.members) {
    if (!member->task.done()) member->task.completions.push_back(*member);
  }
  // Done only now: the first failure cancels the rest, which must be in place for that.
  for (const auto& member : wait.members) {
    if (member->task.done()) wait.member_ended(*member);
  }

  Wake outcome = Wake::completed;
  if (wait.pending == 0) {
    self.spend();
  } else {
    outcome = self.park(wait);
    if (outcome == Wake::cancelled) {
      wait.cancel_rest(CancelReason::abandoned, "its gather was cancelled");
      while (wait.pending != 0) {
        const lowlevel::NoCancel shielded{self};
        wait.outcome = Wake::pending;
        wait.cancellable = true;
        self.park(wait);
      }
    }
  }
  self.checked(outcome);  // failures stay unobserved: the exception handler hears of them
  if (wait.failed.empty()) return false;
  if (strategy == GatherStrategy::return_partial) return true;

  report.failed = std::move(wait.failed);
  for (TaskControl* input : inputs) {
    GatherException::Input entry;
    entry.task_name = input->display_name();
    entry.first_place = first_place.at(input);
    entry.cancelled = input->state() == TaskState::cancelled;
    try {
      check_result(*input);
    } catch (...) {
      entry.exception = std::current_exception();
    }
    report.inputs.push_back(std::move(entry));
  }
  return true;
}

}  // namespace asyncio::detail

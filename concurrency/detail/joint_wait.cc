#include <asyncio/concurrency/detail/joint_wait.h>

#include <algorithm>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include <asyncio/concurrency/detail/task_set_waiter.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/lowlevel/checkpoint.h>

namespace asyncio::detail {
namespace {

using lowlevel::Wake;

using Places = std::unordered_map<const void*, std::size_t>;

struct JointWait;

// One distinct input.
struct Member : CompletionNode {
  Member(JointWait& owner, const Awaited& which, std::size_t place) noexcept
      : CompletionNode(&Member::ended), wait(owner), input(which), index(place) {}
  static void ended(CompletionNode& node) noexcept;

  JointWait& wait;
  Awaited input;
  std::size_t index;  // its first place
};

struct JointWait : TaskSetWaiter {
  JointWait(const std::vector<TaskControl*>& tasks, CancelRest cancel_when)
      : TaskSetWaiter(wait_reason, tasks), when(cancel_when) {}

  static constexpr lowlevel::WaitReason wait_reason =
      TaskSetWaiter::reason_with([](Waiter&) noexcept { return true; });

  // The reaction to a member's end; runs no user code.
  void member_ended(const Member& member) noexcept {
    --pending;
    const bool success = !member.input.failed() && !member.input.was_cancelled();
    if (!success) {
      end.failed.push_back(member.index);
      if (when == CancelRest::at_failure) end_rest(CancelReason::sibling_failed, {});
    } else if (!end.first_success) {
      end.first_success = member.index;
      if (when == CancelRest::at_success) {
        end_rest(CancelReason::abandoned, "another one succeeded first");
      }
    }
    if (pending == 0 && task != nullptr) lowlevel::wake(*this);
  }

  void end_rest(CancelReason why, const std::string& text) noexcept {
    if (std::exchange(rest_is_ending, true)) return;
    for (const auto& member : members) {
      if (member->input.done()) continue;
      if (TaskControl* const control = member->input.task()) {
        cancel_node(control->own_scope, why, text);
      } else {
        member->unlink();
        --pending;
        end.failed.push_back(member->index);
        end.given_up.push_back(member->index);
      }
    }
  }

  const CancelRest when;
  bool rest_is_ending = false;
  std::size_t pending = 0;
  std::vector<std::unique_ptr<Member>> members;
  JointEnd end;
};

void Member::ended(CompletionNode& node) noexcept {
  const auto& member = static_cast<Member&>(node);
  member.wait.member_ended(member);
}

Places first_places(const std::vector<Awaited>& inputs) {
  Places places;
  for (std::size_t i = 0; i < inputs.size(); ++i) places.emplace(inputs[i].identity(), i);
  return places;
}

std::exception_ptr exception_of(const Awaited& input) {
  try {
    input.check_result();
  } catch (...) {
    return std::current_exception();
  }
  return nullptr;
}

std::exception_ptr given_up(const char* call) {
  auto cause = std::make_shared<CancelCause>();
  cause->reason = CancelReason::abandoned;
  cause->text = std::string{call} + " no longer waits for it";
  return std::make_exception_ptr(
      TaskCancelledException("the future was not set before another input failed", cause));
}

}  // namespace

JointEnd wait_jointly(const std::vector<Awaited>& inputs, CancelRest when, const char* call) {
  lowlevel::CurrentTask self = lowlevel::enter(call);
  const std::vector<TaskControl*> tasks = check_all_awaitable(self.control(), inputs, call);

  JointWait wait{tasks, when};
  const Places places = first_places(inputs);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (places.at(inputs[i].identity()) != i) continue;
    wait.members.push_back(std::make_unique<Member>(wait, inputs[i], i));
    ++wait.pending;
  }
  for (const auto& member : wait.members) {
    if (!member->input.done()) member->input.completions().push_back(*member);
  }
  // Done only now: the first end may make the rest end, which must be in place for that.
  for (const auto& member : wait.members) {
    if (member->input.done()) wait.member_ended(*member);
  }

  if (wait.pending == 0) {
    self.spend();
    return std::move(wait.end);
  }
  const Wake outcome = self.park(wait);
  if (outcome == Wake::cancelled) {
    wait.end_rest(CancelReason::abandoned, std::string{"its "} + call + " was cancelled");
    while (wait.pending != 0) {
      const lowlevel::NoCancel shielded{self};
      wait.outcome = Wake::pending;
      wait.cancellable = true;
      self.park(wait);
    }
  }
  self.checked(outcome);  // failures stay unobserved: the exception handler hears of them
  return std::move(wait.end);
}

std::vector<GatherException::Input> describe_end(const std::vector<Awaited>& inputs,
                                                 const JointEnd& end, const char* call) {
  const Places places = first_places(inputs);
  std::vector<GatherException::Input> report;
  report.reserve(inputs.size());
  for (const Awaited& input : inputs) {
    GatherException::Input& entry = report.emplace_back();
    entry.task_name = input.name();
    entry.first_place = places.at(input.identity());
    const bool left = std::ranges::find(end.given_up, entry.first_place) != end.given_up.end();
    entry.cancelled = left || input.was_cancelled();
    entry.exception = left ? given_up(call) : exception_of(input);
  }
  return report;
}

}  // namespace asyncio::detail

#include <asyncio/concurrency/wait.h>

#include <stdexcept>

#include <asyncio/concurrency/detail/task_set_waiter.h>
#include <asyncio/core/errors.h>

namespace asyncio::detail {
namespace {

// A wait that ends with the first of its members that satisfies it.
struct SomeWait : TaskSetWaiter {
  SomeWait(const std::vector<TaskControl*>& tasks, ReturnWhen until)
      : TaskSetWaiter(wait_reason, tasks), when(until) {}

  static constexpr lowlevel::WaitReason wait_reason =
      TaskSetWaiter::reason_with([](Waiter&) noexcept { return true; });

  bool satisfied() const noexcept {
    return pending == 0 || (when == ReturnWhen::first_completed && ended != 0) ||
           (when == ReturnWhen::first_exception && failed);
  }

  void note(const Awaited& input, std::size_t place) noexcept {
    --pending;
    if (ended++ == 0) first = place;
    failed = failed || input.failed();
  }

  ReturnWhen when;
  std::size_t pending = 0;
  std::size_t ended = 0;
  std::size_t first = 0;  ///< the place of the first to end
  bool failed = false;
};

struct SomeMember : CompletionNode {
  SomeMember(SomeWait& owner, const Awaited& which, std::size_t at) noexcept
      : CompletionNode([](CompletionNode& node) noexcept {
          const auto& member = static_cast<SomeMember&>(node);
          member.wait.note(member.input, member.place);
          if (member.wait.satisfied()) lowlevel::wake(member.wait);
        }),
        wait(owner),
        input(which),
        place(at) {}
  ~SomeMember() { unlink(); }
  SomeWait& wait;
  Awaited input;
  std::size_t place;
};

}  // namespace

std::size_t wait_for_some(const std::vector<Awaited>& inputs, ReturnWhen when, const char* call) {
  if (inputs.empty()) return 0;
  lowlevel::CurrentTask self = lowlevel::enter(call);
  const std::vector<TaskControl*> tasks = check_all_awaitable(self.control(), inputs, call);
  SomeWait wait{tasks, when};
  wait.pending = inputs.size();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].done()) wait.note(inputs[i], i);
  }
  if (wait.satisfied()) {
    self.spend();
    return wait.first;
  }
  std::vector<std::unique_ptr<SomeMember>> members;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].done()) continue;
    members.push_back(std::make_unique<SomeMember>(wait, inputs[i], i));
    inputs[i].completions().push_back(*members.back());
  }
  self.suspend(wait);
  return wait.first;
}

std::size_t wait_for_any(const std::vector<Awaited>& inputs) {
  if (inputs.empty()) {
    throw std::invalid_argument("wait_any of nothing would never return: pass at least one task");
  }
  return wait_for_some(inputs, ReturnWhen::first_completed, "wait_any");
}

struct CompletionOrder::Member : CompletionNode {
  Member(CompletionOrder& owner, std::size_t place) noexcept
      : CompletionNode([](CompletionNode& node) noexcept {
          auto& member = static_cast<Member&>(node);
          member.order.ended_.push_back(member.index);
          if (auto* waiter = std::exchange(member.order.waiter_, nullptr)) lowlevel::wake(*waiter);
        }),
        order(owner),
        index(place) {}
  ~Member() { unlink(); }
  CompletionOrder& order;
  std::size_t index;
};

CompletionOrder::CompletionOrder(std::vector<TaskControl*> inputs) : inputs_(std::move(inputs)) {
  // Checked here, not before each wait, which would make n waits cost n times n.  A member that
  // awaits this task later gets the error itself.
  if (TaskControl* self = current_task_control()) {
    check_awaitable(*self, {inputs_.data(), inputs_.size()}, "as_completed");
  }
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (inputs_[i]->done()) {
      ended_.push_back(i);
      continue;
    }
    members_.push_back(std::make_unique<Member>(*this, i));
    inputs_[i]->completions.push_back(*members_.back());
  }
}

CompletionOrder::~CompletionOrder() = default;

std::size_t CompletionOrder::next() {
  lowlevel::CurrentTask self = lowlevel::enter("as_completed");
  if (ended_.empty()) {
    struct OrderWaiter : TaskSetWaiter {
      OrderWaiter(const lowlevel::WaitReason& why, CompletionOrder& owner) noexcept
          : TaskSetWaiter(why, owner.inputs_), order(owner) {}
      CompletionOrder& order;
    };
    static constexpr lowlevel::WaitReason wait_reason =
        TaskSetWaiter::reason_with([](lowlevel::Waiter& aborted) noexcept {
          static_cast<OrderWaiter&>(aborted).order.waiter_ = nullptr;
          return true;
        });
    OrderWaiter waiter{wait_reason, *this};
    waiter_ = &waiter;
    self.suspend(waiter);
  } else {
    self.spend();
  }
  const std::size_t index = ended_.front();
  ended_.pop_front();
  return index;
}

}  // namespace asyncio::detail

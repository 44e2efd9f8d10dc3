#include <asyncio/concurrency/wait.h>

#include <stdexcept>

#include <asyncio/concurrency/detail/task_set_waiter.h>
#include <asyncio/core/errors.h>

namespace asyncio::detail {
namespace {

// A wait that ends with the first of its members that satisfies it.
struct SomeWait : TaskSetWaiter {
  SomeWait(const std::vector<TaskControl*>& inputs, ReturnWhen until)
      : TaskSetWaiter(wait_reason, inputs), when(until) {}

  static constexpr lowlevel::WaitReason wait_reason =
      TaskSetWaiter::reason_with([](Waiter&) noexcept { return true; });

  bool satisfied() const noexcept {
    return pending == 0 || (when == ReturnWhen::first_completed && ended != 0) ||
           (when == ReturnWhen::first_exception && failed);
  }

  void note(const TaskControl& member) noexcept {
    --pending;
    ++ended;
    failed = failed || member.state() == TaskState::failed;
  }

  ReturnWhen when;
  std::size_t pending = 0;
  std::size_t ended = 0;
  bool failed = false;
};

struct SomeMember : CompletionNode {
  explicit SomeMember(SomeWait& owner) noexcept
      : CompletionNode([](CompletionNode& node, TaskControl& task) {
          SomeWait& whole = static_cast<SomeMember&>(node).wait;
          whole.note(task);
          if (whole.satisfied()) lowlevel::wake(whole);
        }),
        wait(owner) {}
  ~SomeMember() { unlink(); }
  SomeWait& wait;
};

}  // namespace

void wait_for_some(const std::vector<TaskControl*>& inputs, ReturnWhen when) {
  if (inputs.empty()) {
    throw std::invalid_argument("wait({}) would wait for nothing: pass at least one task");
  }
  lowlevel::CurrentTask self = lowlevel::enter("wait");
  check_awaitable(self.control(), {inputs.data(), inputs.size()}, "wait");
  SomeWait wait{inputs, when};
  wait.pending = inputs.size();
  for (const TaskControl* input : inputs) {
    if (input->done()) wait.note(*input);
  }
  if (wait.satisfied()) return self.spend();
  std::vector<std::unique_ptr<SomeMember>> members;
  for (TaskControl* input : inputs) {
    if (input->done()) continue;
    members.push_back(std::make_unique<SomeMember>(wait));
    input->completions.push_back(*members.back());
  }
  self.suspend(wait);
}

struct CompletionOrder::Member : CompletionNode {
  Member(CompletionOrder& owner, std::size_t place) noexcept
      : CompletionNode([](CompletionNode& node, TaskControl&) {
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

#include <asyncio/concurrency/wait.h>

#include <stdexcept>

#include <asyncio/core/errors.h>
#include <asyncio/core/internal/loop.h>

namespace asyncio::detail {
namespace {

// A wait that ends with the first of its members that satisfies it.
struct SomeWait : TaskSet, Waiter {
  SomeWait(const std::vector<TaskControl*>& inputs, ReturnWhen until)
      : TaskSet{inputs.data(), inputs.size()},
        Waiter(WaitKind::tasks, static_cast<TaskSet*>(this)),
        when(until) {
    abort = [](Waiter&) noexcept { return true; };
  }

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
          if (whole.satisfied()) wake(whole);
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
  TaskControl& self = enter_wait("wait");
  check_awaitable(self, {inputs.data(), inputs.size()}, "wait");
  SomeWait wait{inputs, when};
  wait.pending = inputs.size();
  for (const TaskControl* input : inputs) {
    if (input->done()) wait.note(*input);
  }
  if (wait.satisfied()) {
    spend_budget(self);
    return;
  }
  std::vector<std::unique_ptr<SomeMember>> members;
  for (TaskControl* input : inputs) {
    if (input->done()) continue;
    members.push_back(std::make_unique<SomeMember>(wait));
    input->completions.push_back(*members.back());
  }
  rethrow_cancel(self, suspend(self, wait));
}

struct CompletionOrder::Member : CompletionNode {
  Member(CompletionOrder& owner, std::size_t place) noexcept
      : CompletionNode([](CompletionNode& node, TaskControl&) {
          auto& member = static_cast<Member&>(node);
          member.order.ended_.push_back(member.index);
          if (member.order.waiter_ != nullptr) wake(*std::exchange(member.order.waiter_, nullptr));
        }),
        order(owner),
        index(place) {}
  ~Member() { unlink(); }
  CompletionOrder& order;
  std::size_t index;
};

CompletionOrder::CompletionOrder(std::vector<TaskControl*> inputs) : inputs_(std::move(inputs)) {
  // Here, not before each wait: that would make n waits cost n times n.  A member that comes to await
  // this task later is told so itself.
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
  TaskControl& self = enter_wait("as_completed");
  if (ended_.empty()) {
    struct OrderWaiter : TaskSet, Waiter {
      explicit OrderWaiter(CompletionOrder& owner) noexcept
          : TaskSet{owner.inputs_.data(), owner.inputs_.size()},
            Waiter(WaitKind::tasks, static_cast<TaskSet*>(this)),
            order(owner) {}
      CompletionOrder& order;
    } waiter{*this};
    waiter.abort = [](Waiter& aborted) noexcept {
      static_cast<OrderWaiter&>(aborted).order.waiter_ = nullptr;
      return true;
    };
    waiter_ = &waiter;
    rethrow_cancel(self, suspend(self, waiter));
  } else {
    spend_budget(self);
  }
  const std::size_t index = ended_.front();
  ended_.pop_front();
  return index;
}

}  // namespace asyncio::detail

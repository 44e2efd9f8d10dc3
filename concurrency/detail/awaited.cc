#include <asyncio/concurrency/detail/awaited.h>

namespace asyncio::detail {

bool Awaited::done() const noexcept {
  return task_ != nullptr ? task_->done() : future_->is_done();
}

bool Awaited::failed() const noexcept {
  return task_ != nullptr ? task_->state() == TaskState::failed : future_->failed();
}

bool Awaited::was_cancelled() const noexcept {
  return task_ != nullptr ? task_->state() == TaskState::cancelled : future_->was_cancelled();
}

lowlevel::List<CompletionNode>& Awaited::completions() const noexcept {
  return task_ != nullptr ? task_->completions : future_->completions();
}

std::string Awaited::name() const { return task_ != nullptr ? task_->display_name() : "future"; }

void Awaited::check_result() const {
  if (task_ != nullptr) {
    detail::check_result(*task_);
  } else {
    future_->check_result();
  }
}

const void* Awaited::identity() const noexcept {
  return task_ != nullptr ? static_cast<const void*>(task_) : future_;
}

std::vector<TaskControl*> check_all_awaitable(TaskControl& self, const std::vector<Awaited>& inputs,
                                              const char* call) {
  std::vector<TaskControl*> tasks;
  tasks.reserve(inputs.size());
  for (const Awaited& input : inputs) {
    if (input.task() != nullptr) {
      tasks.push_back(input.task());
    } else {
      input.future()->check_awaitable(call);
    }
  }
  check_awaitable(self, {tasks.data(), tasks.size()}, call);
  return tasks;
}

}  // namespace asyncio::detail

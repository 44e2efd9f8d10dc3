#include <asyncio/concurrency/future.h>

#include <stdexcept>
#include <string>

#include <asyncio/concurrency/cancellation_scope.h>
#include <asyncio/core/internal/loop.h>

namespace asyncio::detail {

FutureState::FutureState()
    : loop_(&loop_or_throw("Future")),
      inbox_(&loop_->reactor().inbox()),
      inbox_epoch_(inbox_->epoch()) {}

FutureState::~FutureState() {
  if (observed_ || Loop::current() != loop_) return;
  loop_->report("a future's exception was never looked at", exception_, nullptr);
}

void FutureState::check_loop(const char* call) const {
  inbox_->check_thread(call);
  if (!inbox_->is_open(inbox_epoch_)) {
    throw ClosedError(
        std::string{call} +
        " when the future's loop is gone: set it before run() returns, or ask is_done() "
        "of it");
  }
}

void FutureState::check_settable(const char* call) const {
  check_loop(call);
  if (done_) {
    throw InvalidStateError(std::string{call} +
                            " on a future that is done: a result is set once; ask is_done() first");
  }
}

void FutureState::settle() noexcept {
  done_ = true;
  while (Waiter* waiter = waiters_.front()) wake(*waiter);
  for (auto& callback : callbacks_) schedule_done_callback(*loop_, std::move(callback));
  callbacks_.clear();
}

void FutureState::set_exception(std::exception_ptr exception) {
  check_settable("Future::set_exception");
  if (exception == nullptr) {
    throw std::invalid_argument("Future::set_exception(nullptr): pass an exception");
  }
  exception_ = std::move(exception);
  observed_ = false;
  settle();
}

bool FutureState::cancel(std::string_view reason) {
  if (done_) return false;
  check_settable("Future::cancel");
  auto cause = std::make_shared<CancelCause>();
  cause->text = reason;
  if (const TaskControl* self = current_task_control()) cause->source = self->display_name();
  std::string message = "the future was cancelled";
  if (!reason.empty()) message.append(": ").append(reason);
  exception_ = std::make_exception_ptr(TaskCancelledException(message, std::move(cause)));
  settle();
  return true;
}

void FutureState::check_result() {
  if (!done_) {
    throw InvalidStateError("Future::result() before anything was set: await(future) first");
  }
  observed_ = true;
  if (exception_ != nullptr) std::rethrow_exception(exception_);
}

void FutureState::wait() {
  TaskControl& self = enter_wait("await");
  if (done_) {
    spend_budget(self);
    return;
  }
  if (self.loop != loop_) {
    throw InvalidStateError("await of a future that belongs to another loop");
  }
  Waiter waiter{WaitKind::future};
  waiters_.push_back(waiter);
  rethrow_cancel(self, suspend(self, waiter));
}

void FutureState::add_done_callback(UniqueFunction<void()> callback) {
  check_loop("Future::add_done_callback");
  if (done_) {
    schedule_done_callback(*loop_, std::move(callback));
  } else {
    callbacks_.push_back(std::move(callback));
  }
}

}  // namespace asyncio::detail

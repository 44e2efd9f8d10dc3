#include <asyncio/concurrency/future.h>

#include <stdexcept>
#include <string>

namespace asyncio::detail {
namespace {

constexpr lowlevel::WaitQueue::Kind future_wait{"future"};

}  // namespace

FutureState::FutureState() : loop_("create_future") {}

FutureState::FutureState(EventLoop& loop) : loop_(loop, "create_future") {}

FutureState::~FutureState() {
  if (observed_ || !loop_.is_running_here()) return;
  loop_.report("a future's exception was never looked at", exception_);
}

void FutureState::check_settable(const char* call) const {
  loop_.check(call, "future");
  if (done_) {
    throw InvalidStateError(std::string{call} +
                            " on a future that is done: a result is set once; ask is_done() first");
  }
}

void FutureState::settle() noexcept {
  done_ = true;
  waiting_.wake_all();
  for (auto& callback : callbacks_) loop_.call_soon(std::move(callback));
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
  if (lowlevel::in_task()) cause->source = lowlevel::current("Future::cancel").name();
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
  lowlevel::CurrentTask self = lowlevel::enter("await");
  if (done_) return self.spend();
  if (!loop_.is_running_here()) {
    throw InvalidStateError("await of a future that belongs to another loop");
  }
  waiting_.wait(self, future_wait, "await");
}

void FutureState::add_done_callback(UniqueFunction<void()> callback) {
  loop_.check("Future::add_done_callback", "future");
  if (done_) {
    loop_.call_soon(std::move(callback));
  } else {
    callbacks_.push_back(std::move(callback));
  }
}

}  // namespace asyncio::detail

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
  loop_.report("a future failed, and nobody looked at its exception", exception_);
}

void FutureState::check_settable(const char* call) const {
  loop_.check(call, "future");
  if (done_) {
    throw InvalidStateError(
        std::string{call} +
        ": the future is done already, and a result is set once; ask is_done() first");
  }
}

void FutureState::settle() noexcept {
  done_ = true;
  while (CompletionNode* node = completions_.pop_front()) node->notify(*node);
  waiting_.wake_all();
  callbacks_.take_all(
      [&](UniqueFunction<void()> callback) { loop_.call_soon(std::move(callback)); });
}

void FutureState::set_exception(std::exception_ptr exception) {
  check_settable("Future::set_exception");
  if (exception == nullptr) {
    throw std::invalid_argument("Future::set_exception: the exception is null");
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
  cancelled_ = true;
  settle();
  return true;
}

void FutureState::check_result() {
  if (!done_) {
    throw InvalidStateError("Future::result(): nothing has been set yet; await(future) first");
  }
  observed_ = true;
  if (exception_ != nullptr) std::rethrow_exception(exception_);
}

void FutureState::check_awaitable(const char* call) const {
  if (done_ || loop_.is_running_here()) return;
  throw InvalidStateError(std::string{call} +
                          ": the future belongs to another event loop; wait for it there, and send "
                          "its result over with call_soon_threadsafe(...)");
}

bool FutureState::wait(const char* call, const TimePoint* deadline) {
  lowlevel::CurrentTask self = lowlevel::enter(call);
  if (done_) {
    self.spend();
    return true;
  }
  check_awaitable(call);
  lowlevel::WaitQueue::Place place{future_wait};
  const lowlevel::Wake outcome = deadline == nullptr ? waiting_.wait(self, place)
                                                     : waiting_.wait_until(self, place, *deadline);
  if (outcome == lowlevel::Wake::broken) {
    lowlevel::WaitQueue::throw_destroyed(call, future_wait.what);
  }
  return outcome == lowlevel::Wake::completed;
}

std::uint64_t FutureState::add_done_callback(UniqueFunction<void()> callback) {
  loop_.check("Future::add_done_callback", "future");
  if (!done_) return callbacks_.add(std::move(callback));
  loop_.call_soon(std::move(callback));
  return 0;
}

}  // namespace asyncio::detail

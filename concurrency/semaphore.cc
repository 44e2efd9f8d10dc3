#include <asyncio/concurrency/semaphore.h>

#include <stdexcept>
#include <string>

#include <asyncio/core/errors.h>

namespace asyncio {

struct Semaphore::Request : detail::Waiter {
  Request(Semaphore& owner, int wanted) noexcept
      : Waiter(detail::WaitKind::semaphore, &owner), semaphore(owner), permits(wanted) {
    abort = &Semaphore::abort_request;
  }
  Semaphore& semaphore;
  int permits;
  int refused_by = 0;  ///< the maximum that became smaller than this, if one did
};

namespace {
int at_least_one(int max) {
  if (max < 1) {
    throw std::invalid_argument("a semaphore of " + std::to_string(max) +
                                " permits would let nobody in: pass 1 or more");
  }
  return max;
}
}  // namespace

Semaphore::Semaphore(int max) : max_(at_least_one(max)), available_(max) {}

Semaphore::~Semaphore() {
  while (detail::Waiter* waiter = waiters_.front()) detail::wake(*waiter, detail::Wake::broken);
}

void Semaphore::check(const char* call, int permits) const {
  if (permits >= 1 && permits <= max_) return;
  throw std::invalid_argument(std::string{call} + "(" + std::to_string(permits) +
                              ") on a semaphore of " + std::to_string(max_) +
                              " permits could never succeed");
}

bool Semaphore::try_acquire(int permits) {
  check("try_acquire", permits);
  if (!waiters_.empty() || available_ < permits) return false;
  available_ -= permits;
  ++acquired_;
  return true;
}

void Semaphore::acquire(int permits) {
  check("acquire", permits);
  if (detail::current_task_control() == nullptr && try_acquire(permits)) return;
  detail::TaskControl& self = detail::enter_wait("Semaphore::acquire");
  if (try_acquire(permits)) {
    detail::spend_budget(self);
    return;
  }
  Request request{*this, permits};
  waiters_.push_back(request);
  ++waiting_;
  ++contended_;
  const detail::Wake outcome = detail::suspend(self, request);
  if (request.refused_by != 0) {
    throw InvalidStateError("acquire(" + std::to_string(permits) +
                            ") can never succeed any more: the maximum was set to " +
                            std::to_string(request.refused_by) + " while the task waited");
  }
  if (outcome == detail::Wake::broken) {
    throw ClosedError("Semaphore::acquire: the semaphore was destroyed while the task waited");
  }
  detail::rethrow_cancel(self, outcome);
}

bool Semaphore::abort_request(detail::Waiter& waiter) noexcept {
  auto& request = static_cast<Request&>(waiter);
  request.unlink();
  --request.semaphore.waiting_;
  request.semaphore.grant();  // a large request at the head may have kept small ones waiting
  return true;
}

void Semaphore::grant() noexcept {
  while (detail::Waiter* waiter = waiters_.front()) {
    const int permits = static_cast<Request*>(waiter)->permits;
    if (available_ < permits) return;
    available_ -= permits;
    ++acquired_;
    --waiting_;
    detail::wake(*waiter);
  }
}

void Semaphore::release(int permits) {
  if (permits < 1 || permits > max_ - available_) {
    throw InvalidStateError("Semaphore::release(" + std::to_string(permits) + "): only " +
                            std::to_string(max_ - available_) + " of " + std::to_string(max_) +
                            " permits are out; release each acquired permit once");
  }
  if (!waiters_.empty()) detail::check_loop_thread(*waiters_.front(), "Semaphore::release");
  available_ += permits;
  grant();
}

void Semaphore::change_max(int max) {
  at_least_one(max);
  available_ += max - max_;
  max_ = max;
  // Left in the queue, such a request would hold up everybody behind it for ever.
  waiters_.for_each([&](detail::Waiter& waiter) {
    auto& request = static_cast<Request&>(waiter);
    if (request.permits <= max) return;
    request.refused_by = max;
    --waiting_;
    detail::wake(request, detail::Wake::broken);
  });
  grant();
}

SemaphoreStats Semaphore::stats() const noexcept {
  return {acquired_, contended_, available_, max_, waiting_};
}

Semaphore semaphore(int max) { return Semaphore{max}; }

}  // namespace asyncio

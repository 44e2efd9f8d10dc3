#include <asyncio/concurrency/semaphore.h>

#include <stdexcept>
#include <string>

#include <asyncio/core/errors.h>

namespace asyncio {

struct Semaphore::Request : lowlevel::WaitQueue::Place {
  Request(Semaphore& owner, int wanted) noexcept : Place(kind), semaphore(owner), permits(wanted) {}

  // A large request at the head may have kept small ones waiting.
  static void left(lowlevel::WaitQueue&, Place& place) noexcept {
    static_cast<Request&>(place).semaphore.grant();
  }
  static constexpr lowlevel::WaitQueue::Kind kind{"semaphore", &left};

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

void Semaphore::check(const char* call, int permits) const {
  if (permits >= 1 && permits <= max_) return;
  throw std::invalid_argument(std::string{"Semaphore::"} + call + "(" + std::to_string(permits) +
                              ") can never succeed: ask for 1 to " + std::to_string(max_) +
                              " permits");
}

bool Semaphore::try_acquire(int permits) {
  check("try_acquire", permits);
  if (!waiting_.empty() || available_ < permits) return false;
  available_ -= permits;
  ++acquired_;
  return true;
}

void Semaphore::acquire(int permits) {
  check("acquire", permits);
  if (!lowlevel::in_task() && try_acquire(permits)) return;
  lowlevel::CurrentTask self = lowlevel::enter("Semaphore::acquire");
  if (try_acquire(permits)) return self.spend();
  Request request{*this, permits};
  ++contended_;
  const lowlevel::Wake outcome = waiting_.wait(self, request);
  if (outcome == lowlevel::Wake::completed) return;
  if (request.refused_by == 0) {
    lowlevel::WaitQueue::throw_destroyed("Semaphore::acquire", Request::kind.what);
  }
  throw InvalidStateError("Semaphore::acquire(" + std::to_string(permits) +
                          ") can no longer succeed: the maximum was lowered to " +
                          std::to_string(request.refused_by) + " while the task waited");
}

void Semaphore::grant() noexcept {
  while (lowlevel::WaitQueue::Place* place = waiting_.front()) {
    const int permits = static_cast<Request*>(place)->permits;
    if (available_ < permits) return;
    available_ -= permits;
    ++acquired_;
    waiting_.wake(*place);
  }
}

void Semaphore::release(int permits) {
  if (permits < 1 || permits > max_ - available_) {
    throw InvalidStateError("Semaphore::release(" + std::to_string(permits) + "): only " +
                            std::to_string(max_ - available_) + " of " + std::to_string(max_) +
                            " permits are out; release each acquired permit once");
  }
  waiting_.check_thread("Semaphore::release");
  put_back(permits);
}

void Semaphore::put_back(int permits) noexcept {
  available_ += permits;
  grant();
}

void Semaphore::change_max(int max) {
  at_least_one(max);
  available_ += max - max_;
  max_ = max;
  // Left in the queue, a request for more than `max` would hold up everybody behind it forever.
  waiting_.for_each([&](lowlevel::WaitQueue::Place& place) {
    auto& request = static_cast<Request&>(place);
    if (request.permits <= max) return;
    request.refused_by = max;
    waiting_.wake(request, lowlevel::Wake::broken);
  });
  grant();
}

SemaphoreStats Semaphore::stats() const noexcept {
  return {acquired_, contended_, available_, max_, waiting_.size()};
}

// If the permits have been given back by somebody else, there are none to release.
SemaphorePermit::~SemaphorePermit() {
  if (semaphore_ != nullptr && permits_ <= semaphore_->max_ - semaphore_->available_) {
    semaphore_->put_back(permits_);
  }
}

void SemaphorePermit::release() {
  if (Semaphore* const semaphore = std::exchange(semaphore_, nullptr)) semaphore->release(permits_);
}

SemaphorePermit Semaphore::acquire_permit(int permits) {
  acquire(permits);
  return {*this, permits};
}

std::optional<SemaphorePermit> Semaphore::try_acquire_permit(int permits) {
  if (!try_acquire(permits)) return std::nullopt;
  return SemaphorePermit{*this, permits};
}

Semaphore semaphore(int max) { return Semaphore{max}; }

}  // namespace asyncio

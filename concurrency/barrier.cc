#include <asyncio/concurrency/barrier.h>

#include <stdexcept>
#include <string>

namespace asyncio {

BrokenBarrierError::~BrokenBarrierError() = default;

struct Barrier::Arrival : detail::Waiter {
  explicit Arrival(Barrier& owner) noexcept
      : Waiter(detail::WaitKind::barrier, &owner), barrier(owner) {
    abort = [](detail::Waiter& aborted) noexcept {
      aborted.unlink();
      --static_cast<Arrival&>(aborted).barrier.waiting_;
      return true;
    };
  }
  Barrier& barrier;
  int index = 0;  // given when the barrier opens, so that a place given up leaves no gap
};

Barrier::Barrier(int n) : parties_(n) {
  if (n < 1) {
    throw std::invalid_argument("a barrier of " + std::to_string(n) +
                                " tasks would never open: pass 1 or more");
  }
}

Barrier::~Barrier() { release_all(detail::Wake::broken); }

void Barrier::release_all(detail::Wake outcome) noexcept {
  int index = 0;
  while (detail::Waiter* waiter = waiters_.front()) {
    static_cast<Arrival*>(waiter)->index = index++;
    detail::wake(*waiter, outcome);
  }
  waiting_ = 0;
}

int Barrier::wait() {
  detail::TaskControl& self = detail::enter_wait("Barrier::wait");
  if (broken_) {
    throw BrokenBarrierError(
        "Barrier::wait: the barrier was aborted; reset() makes it usable again");
  }
  if (waiting_ + 1 == parties_) {
    release_all(detail::Wake::completed);
    detail::spend_budget(self);
    return parties_ - 1;
  }
  Arrival arrival{*this};
  waiters_.push_back(arrival);
  ++waiting_;
  const detail::Wake outcome = detail::suspend(self, arrival);
  if (outcome == detail::Wake::broken) {
    throw BrokenBarrierError(
        "Barrier::wait: the barrier was aborted or reset while the task waited");
  }
  detail::rethrow_cancel(self, outcome);
  return arrival.index;
}

void Barrier::abort() noexcept {
  broken_ = true;
  release_all(detail::Wake::broken);
}

void Barrier::reset() noexcept {
  broken_ = false;
  release_all(detail::Wake::broken);
}

}  // namespace asyncio

#include <asyncio/concurrency/barrier.h>

#include <stdexcept>
#include <string>

namespace asyncio {

BrokenBarrierError::~BrokenBarrierError() = default;

struct Barrier::Arrival : lowlevel::WaitQueue::Place {
  Arrival() noexcept : Place(kind) {}
  static constexpr lowlevel::WaitQueue::Kind kind{"barrier"};
  int index = 0;  // set when the barrier opens, so that a place given up leaves no gap
};

Barrier::Barrier(int n) : parties_(n) {
  if (n < 1) {
    throw std::invalid_argument("a barrier of " + std::to_string(n) +
                                " tasks would never open: pass 1 or more");
  }
}

int Barrier::wait() {
  lowlevel::CurrentTask self = lowlevel::enter("Barrier::wait");
  if (broken_) {
    throw BrokenBarrierError(
        "Barrier::wait: the barrier was aborted; reset() makes it usable again");
  }
  if (waiting_count() + 1 == parties_) {
    int index = 0;
    arrivals_.for_each([&](lowlevel::WaitQueue::Place& place) {
      static_cast<Arrival&>(place).index = index++;
      arrivals_.wake(place);
    });
    self.spend();
    return parties_ - 1;
  }
  Arrival arrival;
  if (arrivals_.wait(self, arrival) == lowlevel::Wake::broken) {
    throw BrokenBarrierError(
        "Barrier::wait: the barrier was aborted or reset while the task waited");
  }
  return arrival.index;
}

void Barrier::abort() noexcept {
  broken_ = true;
  arrivals_.wake_all(lowlevel::Wake::broken);
}

void Barrier::reset() noexcept {
  broken_ = false;
  arrivals_.wake_all(lowlevel::Wake::broken);
}

}  // namespace asyncio

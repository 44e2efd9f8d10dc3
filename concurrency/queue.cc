#include <asyncio/concurrency/queue.h>

#include <string>

#include <asyncio/core/errors.h>

namespace asyncio::detail {

using lowlevel::Wake;

void QueueBase::throw_closed(const char* call) {
  throw ClosedError(std::string{call} + ": the queue is closed");
}

void QueueBase::wait_in(lowlevel::WaitQueue& line, lowlevel::WaitQueue::Place& place,
                        lowlevel::CurrentTask self, const char* call) {
  if (line.wait(self, place) == Wake::broken) throw_closed(call);
}

void QueueBase::close_waiters() noexcept {
  getters_.wake_all(Wake::broken);
  putters_.wake_all(Wake::broken);
}

void QueueBase::task_done() {
  if (unfinished_ == 0) {
    throw InvalidStateError(
        "Queue::task_done was called more often than items were put: call it once for each item");
  }
  finish_items(1);
}

void QueueBase::finish_items(std::size_t count) noexcept {
  unfinished_ -= count;
  if (unfinished_ == 0) joiners_.wake_all();
}

void QueueBase::join() {
  static constexpr lowlevel::WaitQueue::Kind join_wait{"queue"};
  lowlevel::CurrentTask self = lowlevel::enter("Queue::join");
  if (unfinished_ == 0) return self.spend();
  joiners_.wait(self, join_wait, "Queue::join");
}

}  // namespace asyncio::detail

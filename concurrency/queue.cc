#include <asyncio/concurrency/queue.h>

#include <string>

namespace asyncio::detail {

QueueBase::Party::Party(WaitKind what, QueueBase& owner, std::size_t& count) noexcept
    : Waiter(what, &owner), queue(owner), waiting(count) {
  abort = [](Waiter& aborted) noexcept {
    aborted.unlink();
    --static_cast<Party&>(aborted).waiting;
    return true;
  };
}

QueueBase::~QueueBase() {
  close_waiters();
  while (Waiter* waiter = joiners_.front()) wake(*waiter, Wake::broken);
}

void QueueBase::throw_closed(const char* call) {
  throw ClosedError(std::string{call} + ": the queue is closed");
}

void QueueBase::wait_in(List<Waiter>& line, Party& party, TaskControl& self, const char* call) {
  line.push_back(party);
  ++party.waiting;
  const Wake outcome = suspend(self, party);
  if (outcome == Wake::broken) throw_closed(call);
  rethrow_cancel(self, outcome);
}

void QueueBase::close_waiters() noexcept {
  for (List<Waiter>* line : {&getters_, &putters_}) {
    while (Waiter* waiter = line->front()) {
      --static_cast<Party*>(waiter)->waiting;
      wake(*waiter, Wake::broken);
    }
  }
}

void QueueBase::task_done() {
  if (unfinished_ == 0) {
    throw InvalidStateError(
        "Queue::task_done more often than items were put: call it once for each item got");
  }
  finish_items(1);
}

void QueueBase::finish_items(std::size_t count) noexcept {
  unfinished_ -= count;
  if (unfinished_ != 0) return;
  while (Waiter* waiter = joiners_.front()) wake(*waiter);
}

void QueueBase::join() {
  TaskControl& self = enter_wait("Queue::join");
  if (unfinished_ == 0) {
    spend_budget(self);
    return;
  }
  Waiter waiter{WaitKind::event, this};
  joiners_.push_back(waiter);
  const Wake outcome = suspend(self, waiter);
  if (outcome == Wake::broken) throw_closed("Queue::join");
  rethrow_cancel(self, outcome);
}

}  // namespace asyncio::detail

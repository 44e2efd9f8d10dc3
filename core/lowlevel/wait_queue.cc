#include <asyncio/core/lowlevel/wait_queue.h>

#include <string>

#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/internal/reactor/inbox.h>

namespace asyncio::lowlevel {

bool WaitQueue::abort_place(Waiter& waiter) noexcept {
  auto& place = static_cast<Place&>(waiter);
  WaitQueue& queue = *place.queue;
  place.unlink();
  --queue.size_;
  const auto& kind = static_cast<const Kind&>(*place.reason);
  if (kind.left != nullptr) kind.left(queue, place);
  return true;
}

void WaitQueue::wait(CurrentTask self, const Kind& kind, const char* call) {
  Place place{kind};
  if (wait(self, place) == Wake::broken) throw_destroyed(call, kind.what);
}

std::size_t WaitQueue::wake_some(std::size_t n, Wake outcome) noexcept {
  std::size_t woken = 0;
  for (Place* place = nullptr; woken < n && (place = places_.front()) != nullptr; ++woken) {
    wake(*place, outcome);
  }
  return woken;
}

void WaitQueue::check_thread(const char* call) const {
  if (const Place* place = places_.front()) place->task->inbox->check_thread(call);
}

void WaitQueue::throw_destroyed(const char* call, const char* what) {
  throw ClosedError(std::string{call} + ": the " + what + " was destroyed while the task waited");
}

}  // namespace asyncio::lowlevel

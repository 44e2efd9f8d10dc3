#include <asyncio/concurrency/coroutine.h>

#include <asyncio/core/errors.h>

namespace asyncio::detail {
namespace {

constexpr lowlevel::WaitQueue::Kind awaitable_wait{"awaitable"};

}  // namespace

CoroutineWait::CoroutineWait()
    : self_(lowlevel::enter("await")), loop_("await"), handle_(get_event_loop().handle()) {}

void CoroutineWait::complete() noexcept {
  if (loop_.is_running_here()) return wake();
  const LoopHandle handle = handle_;  // this object may be gone before the call returns
  try {
    handle.call_soon_threadsafe([this] { wake(); });
  } catch (const ClosedError&) {
    // The loop is gone, and has given up the task.
  }
}

void CoroutineWait::wake() noexcept {
  complete_ = true;
  waiting_.wake_all();
}

bool CoroutineWait::park(bool cancellable) noexcept {
  lowlevel::WaitQueue::Place place{awaitable_wait};
  place.cancellable = cancellable;
  waiting_.push_back(place);
  return self_.park(place) == lowlevel::Wake::completed;
}

void CoroutineWait::until_complete() noexcept {
  if (complete_) return self_.spend();
  park(false);
}

bool CoroutineWait::until_complete_or_cancelled() noexcept {
  if (!complete_) return park(true);
  self_.spend();
  return true;
}

void throw_coroutine_destroyed() {
  throw ClosedError("await: the awaitable destroyed the coroutine that awaited it");
}

}  // namespace asyncio::detail

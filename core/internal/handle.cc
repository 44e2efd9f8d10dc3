#include <asyncio/core/internal/handle.h>

#include <mutex>
#include <stdexcept>
#include <utility>

#include <asyncio/core/errors.h>
#include <asyncio/core/event_loop.h>
#include <asyncio/core/internal/scheduler.h>

namespace asyncio {
namespace detail {
namespace {

struct CallbackPost : Post {
  CallbackPost(UniqueFunction<void()> function, const LoopShared& meant_for)
      : Post([](Post& post, Scheduler* scheduler) {
          const std::unique_ptr<CallbackPost> self{static_cast<CallbackPost*>(&post)};
          // Also null if the loop closed just after the poster looked, and another loop, with
          // another epoch, took over its inbox.
          if (scheduler == nullptr) return;
          if (scheduler->holds_callbacks()) {
            scheduler->call_soon(std::move(self->callback));  // which keeps it for the next run
          } else {
            self->callback();
          }
        }),
        callback(std::move(function)) {
    epoch = meant_for.epoch;
  }
  UniqueFunction<void()> callback;
};

}  // namespace

std::shared_ptr<LoopHold> LoopShared::hold(const std::shared_ptr<LoopShared>& shared) {
  const std::lock_guard lock{shared->mutex_};
  std::shared_ptr<LoopHold> held = shared->hold_.lock();
  if (held == nullptr) {
    held = std::make_shared<LoopHold>(shared);
    shared->hold_ = held;
  }
  return held;
}

bool LoopShared::is_held() const {
  const std::lock_guard lock{mutex_};
  return !hold_.expired();
}

void LoopShared::post(UniqueFunction<void()> callback) const {
  if (!callback) throw std::invalid_argument("call_soon_threadsafe: the callback is empty");
  auto post = std::make_unique<CallbackPost>(std::move(callback), *this);
  if (closed.load() || !inbox.push(*post)) {
    throw ClosedError(
        "call_soon_threadsafe: the loop is gone; keep it alive until its threads have ended, or "
        "ask closed() first");
  }
  static_cast<void>(post.release());
}

}  // namespace detail

void LoopHandle::call_soon_threadsafe(UniqueFunction<void()> callback) const {
  hold_->shared->post(std::move(callback));
}

bool LoopHandle::closed() const noexcept { return hold_->shared->closed.load(); }

}  // namespace asyncio

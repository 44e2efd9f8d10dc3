#include <asyncio/core/thread.h>

#include <memory>

#include <asyncio/core/errors.h>
#include <asyncio/core/internal/loop.h>
#include <asyncio/core/internal/thread_pool.h>

namespace asyncio::detail {
namespace {

// Shared by the waiting task, which may let go, and the thread.
struct ThreadWait {
  Waiter* waiter = nullptr;  // the loop's side; null once the task has let go
};

struct DonePost : Post {
  DonePost(std::shared_ptr<ThreadWait> finished, std::weak_ptr<LoopShared> started_it)
      : Post([](Post& post, Loop* loop) {
          const std::unique_ptr<DonePost> self{static_cast<DonePost*>(&post)};
          // An abandoned thread may outlive its loop, and find another one behind its inbox.
          if (loop == nullptr || loop->shared() != self->home.lock()) return;
          --loop->thread_jobs;
          if (Waiter* waiter = std::exchange(self->wait->waiter, nullptr)) wake(*waiter);
        }),
        wait(std::move(finished)),
        home(std::move(started_it)) {}
  std::shared_ptr<ThreadWait> wait;
  std::weak_ptr<LoopShared> home;  // it is no source of wake-ups of its own: thread_jobs counts it
};

}  // namespace

void run_on_thread(UniqueFunction<void()> work, bool wait_to_the_end) {
  TaskControl& self = enter_wait("to_thread");
  Loop& loop = *self.loop;
  auto wait = std::make_shared<ThreadWait>();
  auto done = std::make_unique<DonePost>(wait, loop.shared());
  done->epoch = loop.shared()->epoch;
  // The loop's side of the inbox outlives every loop; a closed one refuses the post.
  loop.threads().submit(
      [work = std::move(work), inbox = &loop.reactor().inbox(), done = std::move(done)]() mutable {
        work();
        work = nullptr;
        if (inbox->push(*done)) static_cast<void>(done.release());
      });
  ++loop.thread_jobs;
  struct ThreadWaiter : Waiter {
    explicit ThreadWaiter(ThreadWait& owner) noexcept : Waiter(WaitKind::thread), wait(owner) {}
    ThreadWait& wait;
  } waiter{*wait};
  waiter.cancellable = !wait_to_the_end;
  waiter.abort = [](Waiter& aborted) noexcept {
    static_cast<ThreadWaiter&>(aborted).wait.waiter = nullptr;
    aborted.unlink();
    return true;
  };
  wait->waiter = &waiter;
  loop.thread_waiters.push_back(waiter);
  const Wake outcome = suspend(self, waiter);
  rethrow_cancel(self, outcome);
  if (outcome == Wake::broken) {
    throw InvalidStateError(
        "to_thread in a forked child: the thread stayed with the parent; call it again");
  }
}

}  // namespace asyncio::detail

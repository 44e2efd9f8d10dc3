#include <asyncio/core/thread.h>

#include <memory>

#include <asyncio/core/internal/loop.h>
#include <asyncio/core/internal/thread_pool.h>

namespace asyncio::detail {
namespace {

// Shared by the waiting task, which may let go, and the thread.
struct ThreadWait {
  Waiter* waiter = nullptr;  // the loop's side; null once the task has let go
};

struct DonePost : Post {
  DonePost(std::shared_ptr<ThreadWait> finished, std::shared_ptr<LoopShared> started_it)
      : Post([](Post& post, Loop* loop) {
          const std::unique_ptr<DonePost> self{static_cast<DonePost*>(&post)};
          // An abandoned thread may outlive its loop, and find another one behind its inbox.
          if (loop == nullptr || loop->shared() != self->home) return;
          --loop->thread_jobs;
          if (Waiter* waiter = std::exchange(self->wait->waiter, nullptr)) wake(*waiter);
        }),
        wait(std::move(finished)),
        home(std::move(started_it)) {}
  std::shared_ptr<ThreadWait> wait;
  std::shared_ptr<LoopShared> home;
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
    return true;
  };
  wait->waiter = &waiter;
  rethrow_cancel(self, suspend(self, waiter));
}

}  // namespace asyncio::detail

#include <asyncio/core/thread.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <thread>
#include <utility>

#include <asyncio/core/detail/immortal.h>
#include <asyncio/core/detail/thread_context.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/internal/handle.h>
#include <asyncio/core/internal/process/workers.h>
#include <asyncio/core/internal/scheduler.h>
#include <asyncio/core/internal/tasks.h>

namespace asyncio::detail {
namespace {

using lowlevel::WaitQueue;
using lowlevel::Wake;

struct ThreadPlace;

// Shared by the waiting task, which may let go, and the thread.
struct ThreadWait {
  ThreadPlace* place = nullptr;  // the loop's side; null once the task has let go
};

struct ThreadPlace : WaitQueue::Place {
  explicit ThreadPlace(ThreadWait& shared) noexcept : Place(kind), wait(shared) {
    wait.place = this;
  }
  static void let_go(WaitQueue&, Place& place) noexcept {
    static_cast<ThreadPlace&>(place).wait.place = nullptr;
  }
  static constexpr WaitQueue::Kind kind{"thread", &let_go};

  ThreadWait& wait;
};

struct DonePost : Post {
  DonePost(std::shared_ptr<ThreadWait> finished, const LoopShared& started_it)
      : Post([](Post& post, Scheduler* scheduler) {
          const std::unique_ptr<DonePost> self{static_cast<DonePost*>(&post)};
          if (scheduler == nullptr) return;
          scheduler->rooms().workers.job_is_done();
          if (ThreadPlace* place = std::exchange(self->wait->place, nullptr)) {
            place->queue->wake(*place);
          }
        }),
        wait(std::move(finished)) {
    epoch = started_it.epoch;  // an abandoned thread may outlive its loop
  }
  std::shared_ptr<ThreadWait> wait;
};

// As Python's default executor: blocking calls mostly wait, so more than there are cores.
struct CommonLane : lowlevel::ThreadLane {
  CommonLane() noexcept
      : ThreadLane(std::min<std::size_t>(32, std::thread::hardware_concurrency() + 4)) {}
};
constinit Immortal<CommonLane> of_process;

}  // namespace

const lowlevel::ThreadLane& common_lane() noexcept { return of_process.get(); }

void run_on_thread(const lowlevel::ThreadLane& lane, UniqueFunction<void()> work,
                   bool wait_to_the_end) {
  lowlevel::CurrentTask self = lowlevel::enter("to_thread");
  const Rooms& rooms = self.control().scheduler->rooms();
  ContextBase* const context = self.control().context.get();
  auto wait = std::make_shared<ThreadWait>();
  auto done = std::make_unique<DonePost>(wait, rooms.shared);
  // The loop's side of the inbox outlives every loop; a closed one refuses the post.
  rooms.workers.start(lane,
                      [work = std::move(work), inbox = &rooms.shared.inbox, done = std::move(done),
                       context = context == nullptr ? nullptr : context->inherit_alone(),
                       id = rooms.tasks.next_id()]() mutable {
                        {
                          const ThreadContext inherited{std::move(context), id};
                          work();
                          work = nullptr;
                        }
                        if (inbox->push(*done)) static_cast<void>(done.release());
                      });
  ThreadPlace place{*wait};
  place.cancellable = !wait_to_the_end;
  if (rooms.workers.waiting().wait(self, place) == Wake::broken) {
    throw InvalidStateError(
        "to_thread: the process has forked, and the thread exists only in the parent; call it "
        "again");
  }
}

}  // namespace asyncio::detail

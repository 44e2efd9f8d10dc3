#include <asyncio/core/internal/tasks.h>

#include <atomic>
#include <ctime>

#include <asyncio/core/detail/observation_hooks.h>
#include <asyncio/core/event_loop.h>
#include <asyncio/core/internal/reactor/reactor.h>

namespace asyncio::detail {
namespace {

// Loops take ids in batches: a counter that threads share is expensive to increment.
constexpr std::uint64_t ids_at_once = 64;
std::atomic<std::uint64_t> first_free_id{1};

}  // namespace

Tasks::Tasks(const Rooms& rooms) noexcept
    : rooms_(rooms),
      exact_stamps_(rooms.options.clock != nullptr || rooms.options.debug),
      stamp_(rooms.reactor.now()) {}

void Tasks::take_ids() noexcept {
  next_id_ = first_free_id.fetch_add(ids_at_once, std::memory_order_relaxed);
  end_of_ids_ = next_id_ + ids_at_once;
}

TimePoint Tasks::stamp() noexcept {
  if (exact_stamps_) [[unlikely]]
    return stamp_ = rooms_.reactor.now();
  timespec coarse{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &coarse);
  const std::int64_t tick = coarse.tv_sec * 1'000'000'000 + coarse.tv_nsec;
  if (tick != stamp_tick_) {
    stamp_tick_ = tick;
    stamp_ = Clock::now();
  }
  return stamp_;
}

void Tasks::note_created(TaskControl& task) noexcept {
  ++created_;
  ++alive_;
  if (task.background) ++in_background_;
  task.created = stamp();
  tell_of_task(task, TaskMoment::created);
}

void Tasks::note_started(TaskControl& task) noexcept {
  task.started = stamp();
  tell_of_task(task, TaskMoment::started);
}

}  // namespace asyncio::detail

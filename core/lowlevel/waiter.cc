#include <asyncio/core/lowlevel/waiter.h>

#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/internal/delivery.h>
#include <asyncio/core/internal/scheduler.h>

namespace asyncio {
namespace {

// Cache lines of a stack between the saved registers and what a wait keeps there.
constexpr std::uint8_t lines_of_a_wait = 8;

}  // namespace

void lowlevel::wake(Waiter& waiter, Wake outcome) noexcept {
  if (waiter.outcome != Wake::pending) return;
  waiter.unlink();
  waiter.outcome = outcome;
  detail::TaskControl& task = *waiter.task;
  task.waiter = nullptr;
  task.stack_lines = lines_of_a_wait;
  if (task.abandoned) [[unlikely]]
    return;
  task.scheduler->make_ready(task);
}

bool detail::undo_wait(lowlevel::Waiter& waiter) noexcept {
  return waiter.reason->abort == nullptr || waiter.reason->abort(waiter);
}

}  // namespace asyncio

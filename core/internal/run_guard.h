// A stretch of time in which a loop has its thread.
#pragma once

#include <asyncio/core/event_loop.h>
#include <asyncio/core/internal/memory/block_pool.h>
#include <asyncio/core/internal/process/stack_overflow.h>
#include <asyncio/core/internal/process/thread_end.h>
#include <asyncio/core/internal/rooms.h>
#include <asyncio/core/internal/scheduler.h>
#include <asyncio/core/internal/turn.h>

namespace asyncio::detail {

/// Makes this the running loop of the thread, and puts back what was there.
class RunGuard {
 public:
  explicit RunGuard(const Rooms& rooms) noexcept
      : scheduler_(rooms.scheduler), outer_(scheduler_.take_thread()) {
    watch_for_end_of_thread();
    rooms.turn.begin_run();
    if (rooms.options.report_stack_overflow) use_alternate_signal_stack();
    BlockPool::begin_trimming();
  }
  ~RunGuard() {
    BlockPool::end_trimming();
    scheduler_.leave_thread(outer_);
  }
  RunGuard(const RunGuard&) = delete;
  RunGuard& operator=(const RunGuard&) = delete;

 private:
  Scheduler& scheduler_;
  Scheduler* outer_;
};

}  // namespace asyncio::detail

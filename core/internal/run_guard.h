// A stretch of time in which a loop has its thread.
#pragma once

#include <utility>

#include <asyncio/core/internal/loop.h>
#include <asyncio/core/internal/stack_overflow.h>

namespace asyncio::detail {

/// Makes this the running loop of the thread, and puts back what was there.
struct Loop::RunGuard {
  explicit RunGuard(Loop& entered) noexcept
      : loop(entered), outer(std::exchange(running_loop, &entered)) {
    loop.claim_thread();
    loop.thread_ = ThreadState::of_this_thread();
    loop.main_fiber_ = {};  // what sanitizers know of the stack is another thread's, perhaps
    loop.running_ = true;
    loop.slice_began_ = loop.last_poll_ = Clock::now();
    if (loop.options_.report_stack_overflow) use_alternate_signal_stack();
  }
  ~RunGuard() {
    loop.running_ = false;
    running_loop = outer;
  }
  RunGuard(const RunGuard&) = delete;
  RunGuard& operator=(const RunGuard&) = delete;
  Loop& loop;
  Loop* outer;
};

}  // namespace asyncio::detail

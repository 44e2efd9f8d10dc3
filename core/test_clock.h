// A clock for tests: it stands still while anything can run, and jumps when nothing can.
#pragma once

#include <asyncio/core/export.h>
#include <asyncio/core/time.h>

namespace asyncio {

/// Virtual time for one loop.
///
/// Given to a loop (LoopOptions::clock or RunOptions::clock) it replaces the real clock for sleeps,
/// timers and deadlines alike.  When every task is blocked the loop moves it to the earliest
/// deadline instead of waiting; while a worker thread is busy for a task, the loop waits for that
/// thread instead.  A guest of a host's loop never moves it: the test does so, and then makes the
/// host come by with EventLoop::call_soon().
///
/// Threads: the loop's thread.  Must outlive the loop.
class ASYNCIO_API TestClock {
 public:
  TestClock() noexcept : TestClock(TimePoint{Duration{std::chrono::hours{1}}}) {}
  explicit TestClock(TimePoint start) noexcept : start_(start), now_(start) {}
  TestClock(const TestClock&) = delete;
  TestClock& operator=(const TestClock&) = delete;

  TimePoint now() const noexcept { return now_; }
  Duration elapsed() const noexcept { return now_ - start_; }

  /// Moves time forward by hand, as if a task had computed for that long.
  void advance(Duration by) noexcept { now_ = deadline_after(now_, by); }
  /// Moves time forward to `when`; never back.
  void advance_to(TimePoint when) noexcept {
    if (when > now_) now_ = when;
  }

 private:
  TimePoint start_;
  TimePoint now_;
};

}  // namespace asyncio

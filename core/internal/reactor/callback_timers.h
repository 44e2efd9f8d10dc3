// Timers that call a function: call_later(), call_at() and add_timer().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include <asyncio/core/event_loop_interface.h>
#include <asyncio/core/internal/reactor/timer_queue.h>
#include <asyncio/core/time.h>
#include <asyncio/core/timer_id.h>
#include <asyncio/core/unique_function.h>

namespace asyncio::detail {

class Reactor;

class CallbackTimers {
 public:
  explicit CallbackTimers(Reactor& reactor) noexcept;
  ~CallbackTimers();
  CallbackTimers(const CallbackTimers&) = delete;
  CallbackTimers& operator=(const CallbackTimers&) = delete;

  /// `interval` is the time from one due time of a persistent timer to the next.
  TimerId add(TimePoint first, Duration interval, const TimerOptions& options,
              UniqueFunction<void()> callback);
  /// Returns false if no timer has this id.  What the callback holds is destroyed last.
  bool remove(TimerId id) noexcept;
  /// Destroys every one that is there.  What they hold may come back and add more.
  void clear() noexcept;
  std::size_t count() const noexcept { return timers_.size(); }
  /// Those that a run waits for.
  std::size_t in_foreground() const noexcept { return timers_.size() - in_background_; }

  /// While held, timers that are due wait, because the loop only unwinds its tasks.
  void hold(bool hold);

 private:
  struct Timer;

  static void fire(TimerNode& node);

  Reactor& reactor_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Timer>> timers_;
  std::size_t in_background_ = 0;
  std::uint64_t next_id_ = 1;
  std::vector<TimerNode*> held_;  ///< due while held
  bool holding_ = false;
};

}  // namespace asyncio::detail

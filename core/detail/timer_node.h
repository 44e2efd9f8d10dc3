// A deadline in the loop's timer queue.  Lives where its owner lives: often on a parked task's
// stack.
#pragma once

#include <cstdint>

#include <asyncio/core/time.h>

namespace asyncio::detail {

struct TimerNode {
  static constexpr std::uint32_t not_armed = static_cast<std::uint32_t>(-1);

  explicit TimerNode(void (*on_fire)(TimerNode&)) noexcept : fire(on_fire) {}
  TimerNode(const TimerNode&) = delete;
  TimerNode& operator=(const TimerNode&) = delete;

  bool armed() const noexcept { return slot != not_armed; }

  /// Called by the loop, once, after the node has left the heap.
  void (*fire)(TimerNode&);
  TimePoint deadline{};
  std::uint64_t sequence = 0;      ///< order of arming: breaks ties, and tells this turn's timers
  std::uint32_t slot = not_armed;  ///< what the queue knows it by
};

}  // namespace asyncio::detail

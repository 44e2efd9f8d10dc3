// A deadline in the loop's timer heap.  Lives where its owner lives: often on a parked task's stack.
#pragma once

#include <cstddef>
#include <cstdint>

#include <asyncio/core/time.h>

namespace asyncio::detail {

struct TimerNode {
  static constexpr std::size_t not_armed = static_cast<std::size_t>(-1);

  explicit TimerNode(void (*on_fire)(TimerNode&)) noexcept : fire(on_fire) {}
  TimerNode(const TimerNode&) = delete;
  TimerNode& operator=(const TimerNode&) = delete;

  bool armed() const noexcept { return heap_index != not_armed; }

  /// Called by the loop, once, after the node has left the heap.
  void (*fire)(TimerNode&);
  TimePoint deadline{};
  std::uint64_t sequence = 0;  ///< order of arming: breaks ties, and tells this turn's timers
  std::size_t heap_index = not_armed;
};

}  // namespace asyncio::detail

// Finds out which part of a pool nobody needed lately, so that its memory may be given back.
#pragma once

#include <cstddef>

#include <asyncio/core/time.h>

namespace asyncio::detail {

/// Watches a pool's free items for a period at a time.
class IdleWatch {
 public:
  static constexpr Duration period = std::chrono::seconds{1};
  /// The time between two batches given back: each takes time that tasks could use.
  static constexpr Duration pause = std::chrono::milliseconds{10};

  /// To be called when an item was taken and `left` are left.
  void taken(std::size_t left) noexcept {
    if (left < fewest_) fewest_ = left;
  }

  /// Begins a period, with `free` items, if none is going on.  Returns whether the period is over.
  bool period_is_over(TimePoint now, std::size_t free) noexcept {
    if (end_ == TimePoint{}) restart(now, free);
    return now >= end_;
  }
  void restart(TimePoint now, std::size_t free) noexcept {
    end_ = now + period;
    fewest_ = free;
  }
  void stop() noexcept { end_ = TimePoint{}; }

  TimePoint period_end() const noexcept { return end_; }
  /// How many items have not been needed at any time since the period began.
  std::size_t idle() const noexcept { return fewest_; }

 private:
  std::size_t fewest_ = 0;
  TimePoint end_{};
};

}  // namespace asyncio::detail

// Which part of a pool nobody needed lately, so that its memory may go back.
#pragma once

#include <cstddef>

#include <asyncio/core/time.h>

namespace asyncio::detail {

/// Watches a pool's free items for a period at a time.
class IdleWatch {
 public:
  static constexpr Duration period = std::chrono::seconds{1};
  /// Between two batches given back: each takes time that tasks could use.
  static constexpr Duration pause = std::chrono::milliseconds{10};

  /// An item was taken, and so many are left.
  void taken(std::size_t left) noexcept {
    if (left < fewest_) fewest_ = left;
  }

  /// Begins a period, with `free` items, if none is going on.  True: one has gone by.
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
  /// So many were not needed all the time since the period began.
  std::size_t idle() const noexcept { return fewest_; }

 private:
  std::size_t fewest_ = 0;
  TimePoint end_{};
};

}  // namespace asyncio::detail

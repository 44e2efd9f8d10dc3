// What the body of a benchmark counts its iterations with: it warms up before it is timed.
//
// The first batch of a body touches memory for the first time: stacks, pools, the heap, what the
// kernel keeps for a descriptor.  Where a page is dear that takes longer than the minimal time of a
// row, and would be all that the row shows.  So every body runs its first batch, and more batches
// for a moment, on a clock that stands still.
#pragma once

#include <chrono>
#include <cstdint>

#include <benchmark/benchmark.h>

namespace bench {

/// Has the face of Google Benchmark's, as far as bodies need it.
class State {
 public:
  explicit State(benchmark::State& google)
      : max_iterations(google.max_iterations), counters(google.counters), google_(google) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  /// Is there another iteration, or another batch of so many?  The first ones warm up.
  bool KeepRunning() { return KeepRunningBatch(1); }
  bool KeepRunningBatch(std::int64_t count) {
    if (timed_ || warmed_up()) [[likely]] {
      return google_.KeepRunningBatch(count);
    }
    return true;
  }

  class Iterator;
  struct Sentinel {};
  struct [[maybe_unused]] Iteration {};
  /// `for (auto _ : state)`: the cheapest way to count.
  Iterator begin();
  Sentinel end() { return {}; }

  /// Is what runs now timed?  For samples that the body takes itself.
  bool timed() const { return timed_; }

  /// For a body that has warmed up in a way of its own, or is cold on purpose: the next batch is
  /// the first that is timed.  tests/bench/warm_up_test.py lists who may call it, and why.
  void begin_as_it_is() { timed_ = true; }

  /// How long the iterations of this pass took; what warms up counts for nothing.
  void SetIterationTime(double seconds) {
    if (timed_) google_.SetIterationTime(seconds);
  }
  void SetItemsProcessed(std::int64_t items) { google_.SetItemsProcessed(items); }
  void SkipWithError(const char* message) { google_.SkipWithError(message); }
  /// Those that were timed.
  std::int64_t iterations() const { return google_.iterations(); }

  const std::int64_t max_iterations;
  benchmark::UserCounters& counters;

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::milliseconds kWarmUp{1};

  /// Asked before each batch that is not timed: has there been one, and enough of them?
  bool warmed_up() {
    const auto now = Clock::now();
    if (began_ == Clock::time_point{}) began_ = now;
    // A body that has failed is not to go on.
    timed_ = google_.error_occurred() || (batches_++ > 0 && now - began_ >= kWarmUp);
    return timed_;
  }

  benchmark::State& google_;
  bool timed_ = false;
  std::int64_t batches_ = 0;
  Clock::time_point began_{};
};

class State::Iterator {
 public:
  explicit Iterator(State& state) : state_(state) {}
  bool operator!=(Sentinel /*end*/) {
    if (left_ > 0) [[likely]] {
      --left_;
      return true;
    }
    return more();
  }
  void operator++() {}
  Iteration operator*() const { return {}; }

 private:
  /// One by one while it warms up, then all at once.
  bool more() {
    if (!state_.timed_ && !state_.warmed_up()) return true;
    if (!state_.google_.KeepRunningBatch(state_.max_iterations)) return false;
    left_ = state_.max_iterations - 1;
    return true;
  }

  State& state_;
  std::int64_t left_ = 0;
};

inline State::Iterator State::begin() { return Iterator(*this); }

}  // namespace bench

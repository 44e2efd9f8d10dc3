// The spread of single measurements as counters of a benchmark.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

#include "state.h"

namespace bench {

using Clock = std::chrono::steady_clock;

inline double in_us(Clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}
inline double in_seconds(Clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

/// Gives counters p50_us and p99_us.  Requires: samples.
inline void report_percentiles(State& state, std::vector<double> samples_us) {
  std::sort(samples_us.begin(), samples_us.end());
  state.counters["p50_us"] = samples_us[samples_us.size() / 2];
  state.counters["p99_us"] = samples_us[samples_us.size() * 99 / 100];
}

}  // namespace bench

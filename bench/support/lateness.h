// Sleeps that end late, measured alike for every contender.
#pragma once

#include <chrono>
#include <string_view>
#include <utility>
#include <vector>

#include "percentiles.h"
#include "rows.h"

namespace bench {

constexpr std::chrono::microseconds kShortSleep{500};

/// Takes how late a sleep ended for the time of the iteration.  One that ended early has not done
/// what was asked for: that fails the benchmark, and gives false.
inline bool set_lateness(State& state, Clock::duration late) {
  if (late < Clock::duration::zero()) {
    state.SkipWithError("woke before its time");
    return false;
  }
  state.SetIterationTime(in_seconds(late));
  return true;
}

/// Calls `sleep`, which takes kShortSleep, and times how late it returns.
template <class Sleep>
void time_sleeps(State& state, Sleep sleep) {
  std::vector<double> late_us;
  for (auto _ : state) {
    const auto began = Clock::now();
    sleep();
    const auto late = Clock::now() - began - kShortSleep;
    if (!set_lateness(state, late)) return;
    if (state.timed()) late_us.push_back(in_us(late));
  }
  report_percentiles(state, std::move(late_us));
}

template <class Body>
void add_lateness(Rows& rows, std::string_view contender, Body body) {
  rows.add_self_timed(contender, {{"sleep_us", kShortSleep.count()}}, std::move(body))
      ->Iterations(rows.smoke() ? 10 : 1'000)
      ->Unit(benchmark::kMicrosecond);
}

}  // namespace bench

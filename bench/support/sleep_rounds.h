// Very many sleeps at once, measured alike for every contender.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>
#include <utility>

#include "lateness.h"
#include "percentiles.h"
#include "rows.h"

namespace bench {

constexpr std::chrono::milliseconds kLongSleep{100};

/// Times rounds of sleeps of kLongSleep that all begin at once: what each took beyond that.
template <class Round>
void time_sleep_rounds(State& state, Round round) {
  for (auto _ : state) {
    const auto began = Clock::now();
    round();
    if (!set_lateness(state, Clock::now() - began - kLongSleep)) return;
  }
}

template <class Body>
void add_sleep_rounds(Rows& rows, std::string_view contender, std::int64_t tasks, Body body) {
  rows.add_self_timed(contender, {{"tasks", tasks}}, std::move(body))
      ->Iterations(rows.smoke() ? 1 : 3)
      ->Unit(benchmark::kMillisecond);
}

}  // namespace bench

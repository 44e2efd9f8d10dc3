// How exactly, and how cheaply, tasks sleep.
#include <algorithm>
#include <chrono>
#include <vector>

#include <benchmark/benchmark.h>

#include <asyncio/asyncio.h>

namespace asyncio {
namespace {

using namespace std::chrono_literals;

double in_us(Duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

// One task on an idle loop.  Counters: how much later than asked for it woke, in microseconds; a
// negative one would mean early.
void BM_SleepLateness(benchmark::State& state) {
  const auto asked = std::chrono::microseconds{state.range(0)};
  std::vector<double> late;
  run([&] {
    for (auto _ : state) {
      const TimePoint began = Clock::now();
      sleep(asked);
      late.push_back(in_us(Clock::now() - began - asked));
    }
  });
  std::sort(late.begin(), late.end());
  state.counters["least_us"] = late.front();
  state.counters["median_us"] = late[late.size() / 2];
  state.counters["p99_us"] = late[late.size() * 99 / 100];
}
BENCHMARK(BM_SleepLateness)->Arg(500)->Arg(5000)->UseRealTime();

// Tasks that all sleep 0.1 s, made at once; the stacks are warm.  Counter: how much longer than
// 0.1 s it took from the first creation until the last had ended.
void BM_ManySleeps(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  constexpr auto asked = 100ms;
  double over_us = 0;
  run([&] {
    std::vector<Task<void>> tasks(count);
    const auto round = [&] {
      for (auto& task : tasks) task = create_task([&] { sleep(asked); });
      for (auto& task : tasks) await(task);
    };
    round();
    for (auto _ : state) {
      const TimePoint began = Clock::now();
      round();
      over_us += in_us(Clock::now() - began - asked);
    }
  });
  state.counters["over_ms"] =
      benchmark::Counter(over_us / 1000, benchmark::Counter::kAvgIterations);
}
BENCHMARK(BM_ManySleeps)->Arg(1'000)->Arg(100'000)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace asyncio

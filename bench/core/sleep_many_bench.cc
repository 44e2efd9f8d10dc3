// Very many tasks that all sleep 100 ms, made at once.  The time is what it took beyond 100 ms,
// from the first creation until the last has ended; stacks and memory are warm from an untimed
// round.
#include <cstddef>
#include <string>
#include <vector>

#include <asyncio/asyncio.h>

#include "../support/on_backends.h"
#include "../support/raw_loops.h"
#include "../support/rows.h"
#include "../support/sleep_rounds.h"

namespace bench {
namespace {

void on_asyncio(State& state, const std::string& backend, std::int64_t tasks) {
  run_on(backend, [&] {
    std::vector<asyncio::Task<void>> sleepers(static_cast<std::size_t>(tasks));
    time_sleep_rounds(state, [&] {
      for (auto& sleeper : sleepers) {
        sleeper = asyncio::create_task([] { asyncio::sleep(kLongSleep); });
      }
      for (const auto& sleeper : sleepers) asyncio::await(sleeper);
    });
  });
}

/// Not tasks: a timer and a count, which is less work than any of the others does.
template <class Loop>
void on_raw_loop(State& state, std::int64_t tasks) {
  struct Sleeper : Loop::template Timer<Sleeper> {
    using Loop::template Timer<Sleeper>::Timer;
    void on_time() {}
  };
  typename Loop::Precise loop;
  const double seconds = in_seconds(kLongSleep) + Loop::clock_lag;
  if constexpr (requires { loop.expect_many_timers_of(seconds); }) {
    loop.expect_many_timers_of(seconds);
  }
  std::vector<Sleeper> sleepers;
  sleepers.reserve(static_cast<std::size_t>(tasks));
  for (std::int64_t i = 0; i < tasks; ++i) sleepers.emplace_back(loop);
  time_sleep_rounds(state, [&] {
    loop.poll();  // libev counts from the last time it looked at the clock
    for (Sleeper& sleeper : sleepers) sleeper.start(seconds);
    loop.run();
  });
}

const Subject subject("core.sleep_many", [](Rows& rows) {
  for (const std::int64_t tasks : rows.sizes({1'000, 100'000}, {10'000, 1'000'000})) {
    for (const std::string& backend : asyncio::available_backends()) {
      add_sleep_rounds(rows, "asyncio@" + backend, tasks,
                       [=](State& state) { on_asyncio(state, backend, tasks); });
    }
    for_each_raw_timer_loop([&]<class Loop>() {
      add_sleep_rounds(rows, Loop::name, tasks,
                       [=](State& state) { on_raw_loop<Loop>(state, tasks); });
    });
  }
});

}  // namespace
}  // namespace bench

// A task that returns a number at once: made, run, awaited, gone.
//
// pooled: one at a time, on a stack that the last one used.  cold: many alive at once in a new
// loop, so every one touches a stack for the first time; that is mostly the kernel's price of a
// page.  The whole life of the loop is timed, as it maps and unmaps the stacks.
#include <cstddef>
#include <cstdint>
#include <vector>

#include <asyncio/asyncio.h>

#include "../support/bare_fibers.h"
#include "../support/rows.h"

namespace bench {
namespace {

constexpr std::int64_t kCold = 1'000;

void pooled_on_asyncio(State& state) {
  asyncio::run([&] {
    for (auto _ : state) {
      benchmark::DoNotOptimize(asyncio::await(asyncio::create_task([] { return 1; })));
    }
  });
}

void cold_on_asyncio(State& state) {
  while (state.KeepRunningBatch(kCold)) {
    asyncio::run([&] {
      std::vector<asyncio::Task<int>> tasks;
      for (std::int64_t i = 0; i < kCold; ++i) {
        tasks.push_back(asyncio::create_task([] { return 1; }));
      }
      int sum = 0;
      for (const auto& task : tasks) sum += asyncio::await(task);
      benchmark::DoNotOptimize(sum);
    });
  }
}

void return_one(void* result) { *static_cast<int*>(result) = 1; }

void pooled_on_bare_fibers(State& state) {
  BareFibers fibers;
  for (auto _ : state) {
    int result = 0;
    fibers.join(fibers.spawn(return_one, &result));
    benchmark::DoNotOptimize(result);
  }
}

const Subject subject("core.spawn_await", [](Rows& rows) {
  rows.add("asyncio", {{"stacks", "pooled"}}, pooled_on_asyncio);
  rows.add("bare", {{"stacks", "pooled"}}, pooled_on_bare_fibers);
  rows.add("asyncio", {{"stacks", "cold"}}, cold_on_asyncio);
});

}  // namespace
}  // namespace bench

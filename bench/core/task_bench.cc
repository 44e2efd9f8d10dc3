// What tasks cost: to make, to switch, to wait for.
#include <vector>

#include <benchmark/benchmark.h>

#include <asyncio/asyncio.h>

namespace asyncio {
namespace {

// Tasks that do nothing but give way to each other: the price of one switch through the ready queue.
void BM_Yield(benchmark::State& state) {
  const auto count = static_cast<int>(state.range(0));
  run([&] {
    bool over = false;
    std::vector<Task<void>> others;
    for (int i = 1; i < count; ++i) {
      others.push_back(create_task([&] {
        while (!over) yield();
      }));
    }
    for (auto _ : state) yield();
    over = true;
    for (auto& task : others) await(task);
  });
  state.SetItemsProcessed(state.iterations() * count);
}
BENCHMARK(BM_Yield)->Arg(1)->Arg(2)->Arg(100);

// A task that returns at once: made, run, awaited, gone.
void BM_SpawnAndAwait(benchmark::State& state) {
  run([&] {
    for (auto _ : state) benchmark::DoNotOptimize(await(create_task([] { return 1; })));
  });
}
BENCHMARK(BM_SpawnAndAwait);

void BM_SpawnManyAndAwait(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  run([&] {
    std::vector<Task<void>> tasks(count);
    for (auto _ : state) {
      for (auto& task : tasks) task = create_task([] {});
      for (auto& task : tasks) await(task);
    }
  });
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_SpawnManyAndAwait)->Arg(1'000);

}  // namespace
}  // namespace asyncio

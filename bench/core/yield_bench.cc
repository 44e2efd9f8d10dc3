// Tasks that do nothing but give way to each other: one switch through the ready queue.
#include <cstdint>
#include <vector>

#include <asyncio/asyncio.h>

#include "../support/bare_fibers.h"
#include "../support/rows.h"

namespace bench {
namespace {

void on_asyncio(State& state, std::int64_t tasks) {
  asyncio::run([&] {
    bool over = false;
    std::vector<asyncio::Task<void>> others;
    for (std::int64_t i = 1; i < tasks; ++i) {
      others.push_back(asyncio::create_task([&] {
        while (!over) asyncio::yield();
      }));
    }
    while (state.KeepRunningBatch(tasks)) asyncio::yield();
    over = true;
    for (const auto& task : others) asyncio::await(task);
  });
}

void on_bare_fibers(State& state, std::int64_t tasks) {
  struct Work {
    BareFibers fibers;
    bool over = false;
  } work;
  const auto body = [](void* argument) {
    auto& [fibers, over] = *static_cast<Work*>(argument);
    while (!over) fibers.yield();
  };
  std::vector<BareFibers::Fiber*> others;
  for (std::int64_t i = 1; i < tasks; ++i) others.push_back(&work.fibers.spawn(body, &work));
  while (state.KeepRunningBatch(tasks)) work.fibers.yield();
  work.over = true;
  for (BareFibers::Fiber* fiber : others) work.fibers.join(*fiber);
}

const Subject subject("core.yield", [](Rows& rows) {
  for (const std::int64_t tasks : rows.sizes({2, 10'000}, {100, 1'000, 100'000})) {
    const Params params = {{"tasks", tasks}};
    rows.add("asyncio", params, [=](State& state) { on_asyncio(state, tasks); });
    rows.add("bare", params, [=](State& state) { on_bare_fibers(state, tasks); });
  }
});

}  // namespace
}  // namespace bench

// A semaphore: with permits to spare, and with one permit that many tasks hand to each other.
#include <cstdint>
#include <vector>

#include <asyncio/asyncio.h>

#include "../support/contention.h"
#include "../support/rows.h"

namespace bench {
namespace {

void with_permits_to_spare(State& state) {
  asyncio::run([&] {
    asyncio::Semaphore semaphore(2);
    for (auto _ : state) {
      semaphore.acquire();
      semaphore.release();
    }
  });
}

void contend(State& state, std::int64_t tasks) {
  asyncio::run([&] {
    asyncio::Semaphore semaphore(1);
    while (state.KeepRunningBatch(tasks * kLocksEach)) {
      std::vector<asyncio::Task<void>> all;
      for (std::int64_t i = 0; i < tasks; ++i) {
        all.push_back(asyncio::create_task([&] {
          for (std::int64_t n = 0; n < kLocksEach; ++n) semaphore.with([] { asyncio::yield(); });
        }));
      }
      for (const auto& task : all) asyncio::await(task);
    }
  });
}

const Subject subject("concurrency.semaphore", [](Rows& rows) {
  rows.add("asyncio", {{"tasks", 1}}, with_permits_to_spare);
  for (const std::int64_t tasks : rows.sizes({2, 100})) {
    rows.add("asyncio", {{"tasks", tasks}}, [=](State& state) { contend(state, tasks); });
  }
});

}  // namespace
}  // namespace bench

// A mutex: free, and with tasks that hold it while they give way to those that wait for it.
#include <cstdint>
#include <mutex>
#include <vector>

#include <asyncio/asyncio.h>

#include "../support/contention.h"
#include "../support/rows.h"

namespace bench {
namespace {

void lock_free_mutex(State& state) {
  asyncio::run([&] {
    asyncio::Mutex mutex;
    for (auto _ : state) const std::lock_guard guard(mutex);
  });
}

void contend(State& state, std::int64_t tasks) {
  asyncio::run([&] {
    asyncio::Mutex mutex;
    while (state.KeepRunningBatch(tasks * kLocksEach)) {
      std::vector<asyncio::Task<void>> all;
      for (std::int64_t i = 0; i < tasks; ++i) {
        all.push_back(asyncio::create_task([&] {
          for (std::int64_t n = 0; n < kLocksEach; ++n) {
            const std::lock_guard guard(mutex);
            asyncio::yield();
          }
        }));
      }
      for (const auto& task : all) asyncio::await(task);
    }
  });
}

const Subject subject("concurrency.mutex", [](Rows& rows) {
  rows.add("asyncio", {{"tasks", 1}}, lock_free_mutex);
  for (const std::int64_t tasks : rows.sizes({2, 100})) {
    rows.add("asyncio", {{"tasks", tasks}}, [=](State& state) { contend(state, tasks); });
  }
});

}  // namespace
}  // namespace bench

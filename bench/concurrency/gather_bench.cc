// Tasks that return a number, made together and gathered: for each task.
#include <cstdint>
#include <utility>
#include <vector>

#include <asyncio/asyncio.h>

#include "../support/rows.h"

namespace bench {
namespace {

const Subject subject("concurrency.gather", [](Rows& rows) {
  for (const std::int64_t tasks : rows.sizes({10, 1'000})) {
    rows.add("asyncio", {{"tasks", tasks}}, [=](State& state) {
      asyncio::run([&] {
        while (state.KeepRunningBatch(tasks)) {
          std::vector<asyncio::Task<int>> all;
          for (std::int64_t i = 0; i < tasks; ++i) {
            all.push_back(asyncio::create_task([] { return 1; }));
          }
          benchmark::DoNotOptimize(asyncio::gather(std::move(all)));
        }
      });
    });
  }
});

}  // namespace
}  // namespace bench

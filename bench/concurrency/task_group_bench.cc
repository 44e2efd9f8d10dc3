// Tasks that do nothing, in a group: for each task, with its share of the group.
#include <cstdint>

#include <asyncio/asyncio.h>

#include "../support/rows.h"

namespace bench {
namespace {

const Subject subject("concurrency.task_group", [](Rows& rows) {
  for (const std::int64_t tasks : rows.sizes({1, 10, 1'000})) {
    rows.add("asyncio", {{"tasks", tasks}}, [=](State& state) {
      asyncio::run([&] {
        while (state.KeepRunningBatch(tasks)) {
          asyncio::TaskGroup::run([&](asyncio::TaskGroup& group) {
            for (std::int64_t i = 0; i < tasks; ++i) group.spawn([] {});
          });
        }
      });
    });
  }
});

}  // namespace
}  // namespace bench

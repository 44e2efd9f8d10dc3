// An item from a task that puts to a task that gets, through a queue with no room: each waits for
// the other.  Room for one saves every other switch.
#include <cstddef>
#include <cstdint>

#include <asyncio/asyncio.h>

#include "../support/rows.h"

namespace bench {
namespace {

void on_asyncio(State& state, std::int64_t capacity) {
  asyncio::run([&] {
    asyncio::Queue<int> queue(static_cast<std::size_t>(capacity));
    const auto putter = asyncio::create_task([&] {
      try {
        for (int item = 0;; ++item) queue.put(item);
      } catch (const asyncio::ClosedError&) {
      }
    });
    for (auto _ : state) benchmark::DoNotOptimize(queue.get());
    queue.close_now();
    asyncio::await(putter);
  });
}

const Subject subject("concurrency.queue_hop", [](Rows& rows) {
  for (const std::int64_t capacity : {0, 1, 128}) {
    rows.add("asyncio", {{"capacity", capacity}},
             [=](State& state) { on_asyncio(state, capacity); });
  }
});

}  // namespace
}  // namespace bench

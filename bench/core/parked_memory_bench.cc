// What a parked task costs: the time to make it and have it park, and the memory that it keeps.
//
// Measured in a process of its own, so that what ran before leaves nothing that could be reused.
#include <cstdint>

#include <asyncio/asyncio.h>

#include "../support/parked.h"
#include "../support/rows.h"

namespace bench {
namespace {

void park_on_asyncio(std::int64_t tasks, ParkedProbe& probe) {
  asyncio::run([&] {
    asyncio::Event never;
    asyncio::TaskGroup group;
    asyncio::await(group.spawn([] {}));  // what a loop needs anyway is not counted
    probe.begin();
    for (std::int64_t i = 0; i < tasks; ++i) group.spawn([&] { never.wait(); });
    asyncio::yield();  // now all of them are parked
    probe.end();
  });
}

const Subject subject("core.parked_memory",
                      [](Rows& rows) { add_parked(rows, "asyncio", park_on_asyncio, 1'000'000); });

}  // namespace
}  // namespace bench

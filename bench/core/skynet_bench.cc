// A tree of tasks, ten children each, down to a million leaves.  See support/skynet.h.
#include <array>
#include <cstddef>
#include <cstdint>

#include <asyncio/asyncio.h>

#include "../support/rows.h"
#include "../support/skynet.h"

namespace bench {
namespace {

std::int64_t skynet(std::int64_t first, std::int64_t leaves) {
  if (leaves == 1) return first;
  std::array<asyncio::Task<std::int64_t>, 10> children;
  for (std::size_t i = 0; i < children.size(); ++i) {
    const std::int64_t begin = first + static_cast<std::int64_t>(i) * leaves / 10;
    children[i] = asyncio::create_task([=] { return skynet(begin, leaves / 10); });
  }
  std::int64_t sum = 0;
  for (const auto& child : children) sum += asyncio::await(child);
  return sum;
}

const Subject subject("core.skynet", [](Rows& rows) {
  for (const std::int64_t leaves : rows.sizes({1'000, 100'000}, {1'000'000})) {
    rows.add("asyncio", {{"leaves", leaves}}, [=](State& state) {
      asyncio::run([&] { time_skynet(state, leaves, [=] { return skynet(0, leaves); }); });
    });
  }
});

}  // namespace
}  // namespace bench

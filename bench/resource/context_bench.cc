// Context values: read, changed, and inherited by a task that is made.
#include <cstdint>
#include <string>

#include <asyncio/asyncio.h>

#include "../support/rows.h"

namespace bench {
namespace {

/// Has the current task hold this many values, "0" and so on.
void set_values(std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) asyncio::set_context(std::to_string(i), i);
}

template <class Work>
void add(Rows& rows, std::string_view op, std::int64_t values, Work work) {
  rows.add("asyncio", {{"op", op}, {"values", values}}, [=](State& state) {
    asyncio::run([&] {
      set_values(values);
      for (auto _ : state) work();
    });
  });
}

const Subject subject("resource.context", [](Rows& rows) {
  for (const std::int64_t values : rows.sizes({1, 100})) {
    add(rows, "get", values,
        [] { benchmark::DoNotOptimize(asyncio::get_context<std::int64_t>("0")); });
    add(rows, "set", values, [] { asyncio::set_context("0", std::int64_t{1}); });
    // core.spawn_await, in a task that has values
    add(rows, "inherit", values, [] { asyncio::await(asyncio::create_task([] {})); });
    add(rows, "inherit_and_get", values, [] {
      benchmark::DoNotOptimize(asyncio::await(
          asyncio::create_task([] { return asyncio::get_context<std::int64_t>("0"); })));
    });
  }
});

}  // namespace
}  // namespace bench

// A loop made, run with nothing to do, and unmade: what a program pays before its first task.
#include <string>

#include <asyncio/asyncio.h>

#include "../support/on_backends.h"
#include "../support/raw_loops.h"
#include "../support/rows.h"

namespace bench {
namespace {

const Subject subject("core.loop_life", [](Rows& rows) {
  add_on_backends(rows, {}, [](State& state, const std::string& backend) {
    for (auto _ : state) run_on(backend, [] {});
  });
  for_each_raw_loop([&]<class Loop>() {
    rows.add(Loop::name, {}, [](State& state) {
      for (auto _ : state) Loop().poll();
    });
  });
});

}  // namespace
}  // namespace bench

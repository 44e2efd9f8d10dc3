// A cancellation scope entered and left: plain, with a deadline that does not come, shielded, and
// one that is cancelled, which is an exception thrown and caught.
#include <chrono>

#include <asyncio/asyncio.h>

#include "../support/rows.h"

namespace bench {
namespace {

using namespace std::chrono_literals;

template <class Enter>
void add(Rows& rows, std::string_view kind, Enter enter) {
  rows.add("asyncio", {{"kind", kind}}, [=](State& state) {
    asyncio::run([&] {
      for (auto _ : state) enter();
    });
  });
}

const Subject subject("concurrency.scope", [](Rows& rows) {
  add(rows, "plain", [] { asyncio::CancellationScope::run([] {}); });
  add(rows, "timeout", [] { asyncio::timeout(10s, [] {}); });
  add(rows, "shield", [] { asyncio::shield([] {}); });
  add(rows, "cancelled", [] {
    asyncio::CancellationScope::try_run([](asyncio::CancellationScope& scope) {
      scope.cancel();
      asyncio::yield();
    });
  });
});

}  // namespace
}  // namespace bench

// Callbacks from other threads, as fast as they can: for each one, until the loop has run them all.
#include <cstdint>
#include <string>

#include <asyncio/asyncio.h>

#include "../support/mailbox.h"
#include "../support/on_backends.h"
#include "../support/posters.h"
#include "../support/raw_loops.h"
#include "../support/rows.h"

namespace bench {
namespace {

void on_asyncio(State& state, const std::string& backend, std::int64_t producers) {
  run_on(backend, [&] {
    time_posts(state, producers, [&](std::int64_t posts) {
      asyncio::Event all_came;
      std::int64_t left = posts;
      Posters posters(producers, [&, handle = asyncio::get_event_loop().handle()] {
        handle.call_soon_threadsafe([&] {
          if (--left == 0) all_came.set();
        });
      });
      posters.start();
      all_came.wait();
      return posters.seconds_since_start();
    });
  });
}

template <class Loop>
void on_raw_loop(State& state, std::int64_t producers) {
  Loop loop;
  raw::Mailbox<Loop> mailbox(loop);
  time_posts(state, producers, [&](std::int64_t posts) {
    std::int64_t left = posts;
    Posters posters(producers, [&] {
      mailbox.post([&] {
        if (--left == 0) loop.stop();
      });
    });
    posters.start();
    loop.run();
    return posters.seconds_since_start();
  });
}

const Subject subject("core.post", [](Rows& rows) {
  for (const std::int64_t producers : rows.sizes({1, 2, 4}, {3})) {
    const Params params = {{"producers", producers}};
    for (const std::string& backend : asyncio::available_backends()) {
      rows.add_self_timed("asyncio@" + backend, params,
                          [=](State& state) { on_asyncio(state, backend, producers); });
    }
    for_each_raw_loop([&]<class Loop>() {
      rows.add_self_timed(Loop::name, params,
                          [=](State& state) { on_raw_loop<Loop>(state, producers); });
    });
  }
});

}  // namespace
}  // namespace bench

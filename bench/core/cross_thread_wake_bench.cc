// A callback posted to a loop that sleeps: from the post until it has run, and the thread that
// posted knows.  Most of it is the kernel putting two threads to sleep and waking them.
#include <semaphore>
#include <string>
#include <thread>

#include <asyncio/asyncio.h>

#include "../support/mailbox.h"
#include "../support/on_backends.h"
#include "../support/processors.h"
#include "../support/raw_loops.h"
#include "../support/rows.h"

namespace bench {
namespace {

/// Calls `post(callback)` from this thread, one at a time, and from another processor than the
/// loop's if there are two.
template <class Post>
void time_round_trips(State& state, Post post) {
  move_to_other_cpu();
  std::binary_semaphore answer(0);
  for (auto _ : state) {
    post([&] { answer.release(); });
    answer.acquire();
  }
}

void on_asyncio(State& state, const std::string& backend) {
  run_on(backend, [&] {
    asyncio::Event over;
    std::jthread poster([&, handle = asyncio::get_event_loop().handle()] {
      time_round_trips(state, [&](auto callback) { handle.call_soon_threadsafe(callback); });
      handle.call_soon_threadsafe([&] { over.set(); });
    });
    over.wait();
  });
}

template <class Loop>
void on_raw_loop(State& state) {
  Loop loop;
  raw::Mailbox<Loop> mailbox(loop);
  std::jthread poster([&] {
    time_round_trips(state, [&](auto callback) { mailbox.post(callback); });
    mailbox.post([&] { loop.stop(); });
  });
  loop.run();
}

const Subject subject("core.cross_thread_wake", [](Rows& rows) {
  add_on_backends(rows, {}, on_asyncio);
  for_each_raw_loop([&]<class Loop>() { rows.add(Loop::name, {}, on_raw_loop<Loop>); });
});

}  // namespace
}  // namespace bench

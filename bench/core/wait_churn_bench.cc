// A byte to and fro between two ends of a socket pair, each read by a task or callback of its own:
// for each read.  A loop that registers a descriptor anew for every wait shows it here.
#include <string>

#include <asyncio/asyncio.h>

#include "../support/descriptors.h"
#include "../support/on_backends.h"
#include "../support/raw_loops.h"
#include "../support/rows.h"

namespace bench {
namespace {

void on_asyncio(State& state, const std::string& backend) {
  run_on(backend, [&] {
    const SocketPair pair;
    const auto returner = asyncio::create_task([fd = pair.right.get()] {
      for (;;) {
        asyncio::wait_readable(fd);
        read_byte(fd);
        write_byte(fd);
      }
    });
    const int fd = pair.left.get();
    while (state.KeepRunningBatch(2)) {
      write_byte(fd);
      asyncio::wait_readable(fd);
      read_byte(fd);
    }
    returner.cancel();
    asyncio::yield();
    asyncio::notify_closing(pair.left.get());
    asyncio::notify_closing(pair.right.get());
  });
}

template <class Loop>
void on_raw_loop(State& state) {
  struct Returner : Loop::template Io<Returner> {
    void on_ready() {
      read_byte(fd);
      write_byte(fd);
    }
    int fd = -1;
  };
  struct Sender : Loop::template Io<Sender> {
    Sender(State& of, Loop& on, int its) : state(of), loop(on), fd(its) {}
    void on_ready() {
      read_byte(fd);
      next();
    }
    void next() {
      if (state.KeepRunningBatch(2)) {
        write_byte(fd);
      } else {
        loop.stop();
      }
    }
    State& state;
    Loop& loop;
    int fd;
  };
  const SocketPair pair;
  Loop loop;
  Returner returner;
  returner.fd = pair.right.get();
  Sender sender(state, loop, pair.left.get());
  returner.start(loop, returner.fd);
  sender.start(loop, sender.fd);
  sender.next();
  loop.run();
  returner.stop(loop);
  sender.stop(loop);
}

const Subject subject("core.wait_churn", [](Rows& rows) {
  add_on_backends(rows, {}, on_asyncio);
  for_each_raw_loop([&]<class Loop>() { rows.add(Loop::name, {}, on_raw_loop<Loop>); });
});

}  // namespace
}  // namespace bench

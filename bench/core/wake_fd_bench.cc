// From a descriptor that has become ready to the code that waits for it: write, wait, read, over
// and over, in one task or callback.  Three system calls are the work; the rest is the loop.

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
    const Pipe pipe;
    for (auto _ : state) {
      write_byte(pipe.in.get());
      asyncio::wait_readable(pipe.out.get());
      read_byte(pipe.out.get());
    }
    asyncio::notify_closing(pipe.out.get());
  });
}

template <class Loop>
void on_raw_loop(State& state) {
  struct Reader : Loop::template Io<Reader> {
    Reader(State& of, Loop& on) : state(of), loop(on) {}
    void on_ready() {
      read_byte(pipe.out.get());
      next();
    }
    void next() {
      if (state.KeepRunning()) {
        write_byte(pipe.in.get());
      } else {
        this->stop(loop);
        loop.stop();
      }
    }
    State& state;
    Loop& loop;
    Pipe pipe;
  };
  Loop loop;
  Reader reader(state, loop);
  reader.start(loop, reader.pipe.out.get());
  reader.next();
  loop.run();
}

const Subject subject("core.wake_fd", [](Rows& rows) {
  add_on_backends(rows, {}, on_asyncio);
  for_each_raw_loop([&]<class Loop>() { rows.add(Loop::name, {}, on_raw_loop<Loop>); });
});

}  // namespace
}  // namespace bench

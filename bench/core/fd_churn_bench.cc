// Descriptors that live for one read: a pipe made, waited for, read and closed.
#include <optional>
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
    for (auto _ : state) {
      const Pipe pipe;
      write_byte(pipe.in.get());
      asyncio::wait_readable(pipe.out.get());
      read_byte(pipe.out.get());
      asyncio::notify_closing(pipe.out.get());
    }
  });
}

template <class Loop>
void on_raw_loop(State& state) {
  struct Reader : Loop::template Io<Reader> {
    Reader(State& of, Loop& on) : state(of), loop(on) {}
    void on_ready() {
      read_byte(pipe->out.get());
      this->stop(loop);
      next();
    }
    void next() {
      pipe.reset();
      if (!state.KeepRunning()) return loop.stop();
      pipe.emplace();
      write_byte(pipe->in.get());
      this->start(loop, pipe->out.get());
    }
    State& state;
    Loop& loop;
    std::optional<Pipe> pipe;
  };
  Loop loop;
  Reader reader(state, loop);
  reader.next();
  loop.run();
}

const Subject subject("core.fd_churn", [](Rows& rows) {
  add_on_backends(rows, {}, on_asyncio);
  for_each_raw_loop([&]<class Loop>() { rows.add(Loop::name, {}, on_raw_loop<Loop>); });
});

}  // namespace
}  // namespace bench

// The classic pipes test, for each byte that is read.  See support/pipe_ring.h.
#include <sys/select.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <limits>
#include <string>

#include <asyncio/asyncio.h>

#include "../support/on_backends.h"
#include "../support/pipe_ring.h"
#include "../support/raw_loops.h"
#include "../support/rows.h"

namespace bench {
namespace {

using namespace std::chrono_literals;

/// Seconds that no wait takes; a little different for each, as timeouts of real programs are.
double long_timeout(std::size_t index) { return 10 + static_cast<double>(index % 1000) / 1000; }

/// A task for each pipe.
void on_asyncio(State& state, const std::string& backend, const PipesShape& shape) {
  run_on(backend, [&] {
    PipeRing ring(shape);
    asyncio::Event round_over;
    asyncio::TaskGroup readers;
    for (std::size_t i = 0; i < ring.size(); ++i) {
      readers.spawn([&ring, &round_over, i, timeouts = shape.timeouts] {
        const asyncio::Duration timeout = asyncio::to_duration(long_timeout(i));
        for (;;) {
          if (timeouts) {
            asyncio::wait_readable(ring.reader(i), timeout);
          } else {
            asyncio::wait_readable(ring.reader(i));
          }
          if (ring.pass_on(i)) round_over.set();
        }
      });
    }
    asyncio::sleep(1ms);  // now all of them wait, and are registered: libev does that when it waits
    while (state.KeepRunningBatch(shape.writes)) {
      round_over.clear();
      ring.begin_round();
      round_over.wait();
    }
    readers.cancel();
    readers.wait_all();
  });
}

template <class Loop>
struct Reader : Loop::template Io<Reader<Loop>> {
  Reader(Loop& on, PipeRing& in, std::size_t at) : loop(on), ring(in), index(at) {
    this->start(loop, ring.reader(index));
  }
  void on_ready() {
    if (ring.pass_on(index)) loop.stop();
  }
  Loop& loop;
  PipeRing& ring;
  std::size_t index;
};

/// With an idle timer for each descriptor, moved whenever there is life.
template <class Loop>
struct ReaderInTime : Loop::template Io<ReaderInTime<Loop>>,
                      Loop::template Timer<ReaderInTime<Loop>> {
  using Io = typename Loop::template Io<ReaderInTime<Loop>>;
  using Timer = typename Loop::template Timer<ReaderInTime<Loop>>;
  ReaderInTime(Loop& on, PipeRing& in, std::size_t at) : Timer(on), loop(on), ring(in), index(at) {
    Io::start(loop, ring.reader(index));
    Timer::restart(long_timeout(index));
  }
  void stop(Loop& on) {
    Io::stop(on);
    Timer::stop();
  }
  void on_ready() {
    Timer::restart(long_timeout(index));
    if (ring.pass_on(index)) loop.stop();
  }
  void on_time() {}
  Loop& loop;
  PipeRing& ring;
  std::size_t index;
};

#if BENCH_HAVE_LIBEVENT
/// The one that moves the timer itself.
template <>
struct ReaderInTime<raw::Libevent> : raw::Libevent::IoInTime<ReaderInTime<raw::Libevent>> {
  ReaderInTime(raw::Libevent& on, PipeRing& in, std::size_t at) : loop(on), ring(in), index(at) {
    start(loop, ring.reader(index), long_timeout(index));
  }
  void on_ready() {
    if (ring.pass_on(index)) loop.stop();
  }
  void on_time() {}
  raw::Libevent& loop;
  PipeRing& ring;
  std::size_t index;
};
#endif

template <class Loop, class Watcher>
void on_raw_loop(State& state, const PipesShape& shape) {
  Loop loop;
  PipeRing ring(shape);
  std::deque<Watcher> readers;
  for (std::size_t i = 0; i < ring.size(); ++i) readers.emplace_back(loop, ring, i);
  loop.poll();  // now all of them are registered
  while (state.KeepRunningBatch(shape.writes)) {
    ring.begin_round();
    loop.run();
  }
  for (Watcher& reader : readers) reader.stop(loop);
}

const Subject subject("core.pipes", [](Rows& rows) {
  for (const bool timeouts : {false, true}) {
    for (const std::string& backend : asyncio::available_backends()) {
      const int limit = backend == "select" ? FD_SETSIZE : std::numeric_limits<int>::max();
      for (const PipesShape& shape : pipes_shapes(rows, limit, timeouts)) {
        rows.add("asyncio@" + backend, to_params(shape),
                 [=](State& state) { on_asyncio(state, backend, shape); });
      }
    }
  }
  for_each_raw_loop([&]<class Loop>() {
    for (const PipesShape& shape : pipes_shapes(rows, Loop::descriptor_limit, false)) {
      rows.add(Loop::name, to_params(shape),
               [=](State& state) { on_raw_loop<Loop, Reader<Loop>>(state, shape); });
    }
  });
  for_each_raw_timer_loop([&]<class Loop>() {
    for (const PipesShape& shape : pipes_shapes(rows, Loop::descriptor_limit, true)) {
      rows.add(Loop::name, to_params(shape),
               [=](State& state) { on_raw_loop<Loop, ReaderInTime<Loop>>(state, shape); });
    }
  });
});

}  // namespace
}  // namespace bench

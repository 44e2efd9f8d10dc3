// A guest in the loop of a libev or libevent program, for each byte that is read in the pipes test.
//
// idle: the host reads a thousand pipes of its own while a task of the guest sleeps.  busy: the
// tasks of the guest read them.  The raw rows are the host alone, who reads them in either case.
#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>

#include <asyncio/asyncio.h>

#include "../support/pipe_ring.h"
#include "../support/raw_loops.h"
#include "../support/rows.h"
#if BENCH_HAVE_LIBEV
#include <asyncio/backends/libev.h>
#endif
#if BENCH_HAVE_LIBEVENT
#include <asyncio/backends/libevent.h>
#endif

namespace bench {
namespace {

using namespace std::chrono_literals;
constexpr PipesShape kShape = {.fds = 1'000, .active = 100, .writes = 1'000};

template <class Host>
struct Reader : Host::template Io<Reader<Host>> {
  Reader(Host& in, PipeRing& of, std::size_t at) : host(in), ring(of), index(at) {
    this->start(host, ring.reader(index));
  }
  void on_ready() {
    if (ring.pass_on(index)) host.stop();
  }
  Host& host;
  PipeRing& ring;
  std::size_t index;
};

template <class Host>
void time_rounds(State& state, Host& host, PipeRing& ring) {
  host.poll();  // now everyone waits
  while (state.KeepRunningBatch(kShape.writes)) {
    ring.begin_round();
    host.run();
  }
}

/// Rounds that the host reads by itself.
template <class Host>
void host_reads(State& state, Host& host) {
  PipeRing ring(kShape);
  std::deque<Reader<Host>> readers;
  for (std::size_t i = 0; i < ring.size(); ++i) readers.emplace_back(host, ring, i);
  time_rounds(state, host, ring);
  for (Reader<Host>& reader : readers) reader.stop(host);
}

template <class Host>
void without_guest(State& state) {
  Host host;
  host_reads(state, host);
}

template <class Host>
void with_idle_guest(State& state) {
  Host host;
  asyncio::EventLoop guest(asyncio::attach(host.native()));
  guest.create_task([] { asyncio::sleep(1h); });
  host_reads(state, host);
  guest.shutdown();
}

template <class Host>
void with_busy_guest(State& state) {
  Host host;
  PipeRing ring(kShape);
  asyncio::EventLoop guest(asyncio::attach(host.native()));
  for (std::size_t i = 0; i < ring.size(); ++i) {
    guest.create_task([&, i] {
      for (;;) {
        asyncio::wait_readable(ring.reader(i));
        if (ring.pass_on(i)) host.stop();
      }
    });
  }
  host.poll();
  time_rounds(state, host, ring);
  guest.shutdown();
}

template <class Host>
void add(Rows& rows, const std::string& backend) {
  rows.add(Host::name, {{"guest", "idle"}}, without_guest<Host>);
  rows.add("asyncio@" + backend, {{"guest", "idle"}}, with_idle_guest<Host>);
  rows.add(Host::name, {{"guest", "busy"}}, without_guest<Host>);
  rows.add("asyncio@" + backend, {{"guest", "busy"}}, with_busy_guest<Host>);
}

const Subject subject("backends.guest", [](Rows& rows) {
#if BENCH_HAVE_LIBEV
  add<raw::Libev>(rows, "ev");
#endif
#if BENCH_HAVE_LIBEVENT
  add<raw::Libevent>(rows, "event");
#endif
});

}  // namespace
}  // namespace bench

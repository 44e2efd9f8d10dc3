// A turn of a libev program with a thousand watchers, a tenth of them ready: alone, and with a
// guest in which many tasks are asleep.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <sys/eventfd.h>

#include <asyncio/asyncio.h>

#include "../support/descriptors.h"
#include "../support/raw_loops.h"
#include "../support/rows.h"
#if BENCH_HAVE_LIBEV
#include <asyncio/backends/libev.h>

namespace bench {
namespace {

using namespace std::chrono_literals;

class HostWatchers {
 public:
  explicit HostWatchers(raw::Libev& host) : host_(host), watchers_(1'000) {
    for (Watcher& watcher : watchers_) {
      const bool always_ready = (&watcher - watchers_.data()) % 10 == 0;
      watcher.fd = Fd(checked(::eventfd(always_ready ? 1 : 0, EFD_CLOEXEC), "eventfd"));
      watcher.start(host_, watcher.fd.get());
    }
  }
  ~HostWatchers() {
    for (Watcher& watcher : watchers_) watcher.stop(host_);
  }
  HostWatchers(const HostWatchers&) = delete;
  HostWatchers& operator=(const HostWatchers&) = delete;

 private:
  struct Watcher : raw::Libev::Io<Watcher> {
    void on_ready() { benchmark::DoNotOptimize(fd.get()); }
    Fd fd;
  };
  raw::Libev& host_;
  std::vector<Watcher> watchers_;
};

void time_turns(State& state, raw::Libev& host) {
  host.poll();  // what was started is told to the kernel
  for (auto _ : state) host.poll();
}

void without_guest(State& state) {
  raw::Libev host;
  const HostWatchers watchers(host);
  time_turns(state, host);
}

void with_guest(State& state, std::int64_t sleepers) {
  raw::Libev host;
  const HostWatchers watchers(host);
  asyncio::EventLoop guest(asyncio::attach(host.native()));
  for (std::int64_t i = 0; i < sleepers; ++i) guest.create_task([] { asyncio::sleep(1h); });
  time_turns(state, host);
  guest.shutdown();
}

const Subject subject("backends.host_turn", [](Rows& rows) {
  for (const std::int64_t sleepers : {0, 1'000}) {
    const Params params = {{"sleepers", sleepers}};
    rows.add(raw::Libev::name, params, without_guest);
    rows.add("asyncio@ev", params, [=](State& state) { with_guest(state, sleepers); });
  }
});

}  // namespace
}  // namespace bench

#endif

// What a guest costs the libev program it lives in.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include <sys/eventfd.h>
#include <unistd.h>

#include <benchmark/benchmark.h>
#include <ev.h>

#include <asyncio/asyncio.h>
#include <asyncio/backends/libev.h>

namespace asyncio {
namespace {

using namespace std::chrono_literals;

double in_us(Duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

struct LoopDestroy {
  void operator()(struct ev_loop* loop) const noexcept { ev_loop_destroy(loop); }
};
using Host = std::unique_ptr<struct ev_loop, LoopDestroy>;

template <class T>
T at_share(std::vector<T>& values, double share) {
  const auto index = static_cast<std::size_t>(share * static_cast<double>(values.size()));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(index),
                   values.end());
  return values[index];
}

// ---- Lateness --------------------------------------------------------------------------------------

enum Guest { no_guest, idle_guest, busy_guest };

/// A timer of the host that is set anew each time it fires.
class HostTimer {
 public:
  explicit HostTimer(struct ev_loop* host) : host_(host) {
    ev_timer_init(&timer_, on_timer, 0., 0.);
    timer_.data = this;
  }

  /// How much later than after `delay` it fires.
  Duration lateness(Duration delay) {
    ev_now_update(host_);
    const TimePoint due = Clock::now() + delay;
    ev_timer_set(&timer_, std::chrono::duration<double>(delay).count(), 0.);
    ev_timer_start(host_, &timer_);
    ev_run(host_, 0);
    return fired_ - due;
  }

 private:
  static void on_timer(struct ev_loop* host, ev_timer* timer, int /*events*/) {
    static_cast<HostTimer*>(timer->data)->fired_ = Clock::now();
    ev_break(host);
  }

  struct ev_loop* host_;
  ev_timer timer_;
  TimePoint fired_;
};

// A timer of the host, alone, beside an idle guest, and beside a thousand tasks that never rest.
void BM_HostTimerLateness(benchmark::State& state) {
  const Host host{ev_loop_new(EVFLAG_AUTO)};
  std::optional<EventLoop> guest;
  if (state.range(0) != no_guest) guest.emplace(attach(host.get()));
  for (int i = 0; i < (state.range(0) == busy_guest ? 1'000 : 0); ++i) {
    guest->create_task([] {
      while (true) yield();
    });
  }
  HostTimer timer{host.get()};
  std::vector<Duration> late;
  // Each another delay, for the turns of a busy guest all take as long as its budget.
  for (auto _ : state) late.push_back(timer.lateness(2ms + 37us * (late.size() % 27)));
  state.counters["median_us"] = in_us(at_share(late, 0.5));
  state.counters["p99_us"] = in_us(at_share(late, 0.99));
  if (guest) guest->shutdown();
}
BENCHMARK(BM_HostTimerLateness)->Arg(no_guest)->Arg(idle_guest)->Arg(busy_guest)->UseRealTime();

// ---- Turns -----------------------------------------------------------------------------------------

/// Watchers of a host, some of which are called in every turn.
class HostWatchers {
 public:
  HostWatchers(struct ev_loop* host, std::size_t count) : host_(host), watchers_(count) {
    for (ev_io& watcher : watchers_) {
      const bool always_ready = (&watcher - watchers_.data()) % 10 == 0;
      ev_io_init(&watcher, on_ready, ::eventfd(always_ready ? 1 : 0, EFD_CLOEXEC), EV_READ);
      ev_io_start(host_, &watcher);
    }
  }
  ~HostWatchers() {
    for (ev_io& watcher : watchers_) {
      ev_io_stop(host_, &watcher);
      ::close(watcher.fd);
    }
  }
  HostWatchers(const HostWatchers&) = delete;
  HostWatchers& operator=(const HostWatchers&) = delete;

 private:
  static void on_ready(struct ev_loop* /*host*/, ev_io* watcher, int /*events*/) {
    benchmark::DoNotOptimize(watcher->fd);
  }

  struct ev_loop* host_;
  std::vector<ev_io> watchers_;
};

Duration time_of_turns(struct ev_loop* host) {
  constexpr int turns = 100;
  ev_run(host, EVRUN_NOWAIT);  // what was started or stopped is told to the kernel
  const TimePoint began = Clock::now();
  for (int i = 0; i < turns; ++i) ev_run(host, EVRUN_NOWAIT);
  return (Clock::now() - began) / turns;
}

// Turns of a host that has a thousand watchers: alternately without a guest, and with one in which so
// many tasks are asleep.
void BM_HostTurn(benchmark::State& state) {
  const Host host{ev_loop_new(EVFLAG_AUTO)};
  const HostWatchers watchers{host.get(), 1'000};
  std::vector<Duration> without;
  std::vector<Duration> with;
  for (auto _ : state) {
    without.push_back(time_of_turns(host.get()));
    state.PauseTiming();
    EventLoop guest{attach(host.get())};
    for (int i = 0; i < state.range(0); ++i) guest.create_task([] { sleep(1h); });
    ev_run(host.get(), EVRUN_NOWAIT);
    state.ResumeTiming();
    with.push_back(time_of_turns(host.get()));
    state.PauseTiming();
    guest.shutdown();
    state.ResumeTiming();
  }
  state.counters["without_us"] = in_us(at_share(without, 0.5));
  state.counters["with_us"] = in_us(at_share(with, 0.5));
}
BENCHMARK(BM_HostTurn)->Arg(0)->Arg(1'000)->UseRealTime();

}  // namespace
}  // namespace asyncio

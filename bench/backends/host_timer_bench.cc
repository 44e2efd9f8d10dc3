// How late a timer of a libev program fires: alone, beside an idle guest, and beside a guest with a
// thousand tasks that never rest.
#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include <asyncio/asyncio.h>

#include "../support/percentiles.h"
#include "../support/raw_loops.h"
#include "../support/rows.h"
#if BENCH_HAVE_LIBEV
#include <asyncio/backends/libev.h>

namespace bench {
namespace {

using namespace std::chrono_literals;

enum class Guest { none, idle, busy };

/// A timer that is set anew each time it has fired.
class HostTimer : public raw::Libev::Timer<HostTimer> {
 public:
  explicit HostTimer(raw::Libev& host) : raw::Libev::Timer<HostTimer>(host), host_(host) {}

  /// How much later than after `delay` it fires.
  Clock::duration lateness(Clock::duration delay) {
    ev_now_update(host_.native());
    const auto due = Clock::now() + delay;
    start(in_seconds(delay));
    host_.run();
    return fired_ - due;
  }

  void on_time() {
    fired_ = Clock::now();
    host_.stop();
  }

 private:
  raw::Libev& host_;
  Clock::time_point fired_;
};

void time_timer(State& state, Guest kind) {
  raw::Libev host;
  std::optional<asyncio::EventLoop> guest;
  if (kind != Guest::none) guest.emplace(asyncio::attach(host.native()));
  for (int i = 0; i < (kind == Guest::busy ? 1'000 : 0); ++i) {
    guest->create_task([] {
      for (;;) asyncio::yield();
    });
  }
  HostTimer timer(host);
  std::vector<double> late_us;
  for (auto _ : state) {
    // Each another delay, for the turns of a busy guest all take as long as its budget.
    const auto late = timer.lateness(2ms + 37us * (late_us.size() % 27));
    state.SetIterationTime(in_seconds(late));
    if (state.timed()) late_us.push_back(in_us(late));
  }
  report_percentiles(state, std::move(late_us));
  if (guest) guest->shutdown();
}

void add(Rows& rows, std::string_view contender, std::string_view name, Guest guest) {
  rows.add_self_timed(contender, {{"guest", name}}, [=](State& state) { time_timer(state, guest); })
      ->Iterations(rows.smoke() ? 10 : 200)
      ->Unit(benchmark::kMicrosecond);
}

const Subject subject("backends.host_timer", [](Rows& rows) {
  // The host alone is the reference for either.
  add(rows, raw::Libev::name, "idle", Guest::none);
  add(rows, "asyncio@ev", "idle", Guest::idle);
  add(rows, raw::Libev::name, "busy", Guest::none);
  add(rows, "asyncio@ev", "busy", Guest::busy);
});

}  // namespace
}  // namespace bench

#endif

// How much later than asked for a sleep of half a millisecond ends, on a loop that is idle.
#include <sys/select.h>
#include <sys/timerfd.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <asyncio/asyncio.h>

#include "../support/descriptors.h"
#include "../support/lateness.h"
#include "../support/on_backends.h"
#include "../support/raw_loops.h"
#include "../support/rows.h"

namespace bench {
namespace {

void on_asyncio(State& state, const std::string& backend) {
  run_on(backend, [&] { time_sleeps(state, [] { asyncio::sleep(kShortSleep); }); });
}

/// Some loops count from when they looked at the clock last, before what ran since.
void update_clock(auto& /*loop*/) {}
#if BENCH_HAVE_LIBEV
void update_clock(raw::Libev& loop) { ev_now_update(loop.native()); }
#endif
#if BENCH_HAVE_LIBUV
void update_clock(raw::Libuv& loop) { uv_update_time(loop.native()); }
#endif

template <class Loop>
class Sleeper : public Loop::template Timer<Sleeper<Loop>> {
 public:
  explicit Sleeper(Loop& loop) : Loop::template Timer<Sleeper<Loop>>(loop), loop_(loop) {}
  void sleep() {
    this->start(in_seconds(kShortSleep) + Loop::clock_lag);
    loop_.run();
  }
  void on_time() { loop_.stop(); }

 private:
  Loop& loop_;
};

template <class Loop>
void on_raw_loop(State& state) {
  typename Loop::Precise loop;
  Sleeper<Loop> sleeper(loop);
  time_sleeps(state, [&] {
    update_clock(loop);
    sleeper.sleep();
  });
}

/// By a timerfd that the loop watches: epoll itself counts in milliseconds, and so do libev's
/// timers.
template <class Loop>
void on_timerfd(State& state) {
  struct Alarm : Loop::template Io<Alarm> {
    explicit Alarm(Loop& on) : loop(on) {}
    void on_ready() {
      std::uint64_t times = 0;
      if (::read(timer.get(), &times, sizeof(times)) > 0) loop.stop();
    }
    Loop& loop;
    Fd timer{checked(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd")};
  };
  Loop loop;
  Alarm alarm(loop);
  alarm.start(loop, alarm.timer.get());
  time_sleeps(state, [&] {
    itimerspec once{};
    once.it_value.tv_nsec = std::chrono::nanoseconds(kShortSleep).count();
    ::timerfd_settime(alarm.timer.get(), 0, &once, nullptr);
    loop.run();
  });
  alarm.stop(loop);
}

void on_raw_select(State& state) {
  time_sleeps(state, [] {
    timeval delay{.tv_sec = 0, .tv_usec = std::chrono::microseconds(kShortSleep).count()};
    ::select(0, nullptr, nullptr, nullptr, &delay);
  });
}

const Subject subject("core.sleep_lateness", [](Rows& rows) {
  for (const std::string& backend : asyncio::available_backends()) {
    add_lateness(rows, "asyncio@" + backend, [=](State& state) { on_asyncio(state, backend); });
  }
  for_each_raw_timer_loop([&]<class Loop>() { add_lateness(rows, Loop::name, on_raw_loop<Loop>); });
#if BENCH_HAVE_LIBEV
  add_lateness(rows, "raw_libev_timerfd", on_timerfd<raw::Libev>);
#endif
  add_lateness(rows, "raw_epoll", on_timerfd<raw::Epoll>);
  add_lateness(rows, "raw_select", on_raw_select);
});

}  // namespace
}  // namespace bench

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
    this->start(in_seconds(kShortSleep));
    loop_.run();
  }
  void on_time() { loop_.stop(); }

 private:
  Loop& loop_;
};

/// The loop as a program sets it up that needs short timers.
template <class Loop>
struct Precise {
  using type = Loop;
};
#if BENCH_HAVE_LIBEVENT
template <>
struct Precise<raw::Libevent> {
  using type = raw::PreciseLibevent;
};
#endif

template <class Loop>
void on_raw_loop(State& state) {
  typename Precise<Loop>::type loop;
  Sleeper<Loop> sleeper(loop);
  time_sleeps(state, [&] {
    update_clock(loop);
    sleeper.sleep();
  });
}

/// By a timerfd: epoll itself counts in milliseconds.
void on_raw_epoll(State& state) {
  struct Alarm : raw::Epoll::Io<Alarm> {
    explicit Alarm(raw::Epoll& on) : loop(on) {}
    void on_ready() {
      std::uint64_t times = 0;
      if (::read(timer.get(), &times, sizeof(times)) > 0) loop.stop();
    }
    raw::Epoll& loop;
    Fd timer{checked(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd")};
  };
  raw::Epoll loop;
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
  add_lateness(rows, "raw_epoll", on_raw_epoll);
  add_lateness(rows, "raw_select", on_raw_select);
});

}  // namespace
}  // namespace bench

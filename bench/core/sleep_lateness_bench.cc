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

template <class Loop>
void with_timer_of(State& state, Loop& loop) {
  struct Sleeper : Loop::template Timer<Sleeper> {
    explicit Sleeper(Loop& on) : loop(on) {}
    void on_time() { loop.stop(); }
    Loop& loop;
  } sleeper(loop);
  time_sleeps(state, [&] {
    sleeper.start(loop, in_seconds(kShortSleep));
    loop.run();
  });
}

void on_raw_libevent([[maybe_unused]] State& state) {
#if BENCH_HAVE_LIBEVENT
  raw::Libevent loop(true);
  with_timer_of(state, loop);
#endif
}

/// libev counts from when it last looked at the clock; its manual has such a timer look first.
void on_raw_libev([[maybe_unused]] State& state) {
#if BENCH_HAVE_LIBEV
  struct Sleeper : raw::Libev::Timer<Sleeper> {
    explicit Sleeper(raw::Libev& on) : loop(on) {}
    void on_time() { loop.stop(); }
    raw::Libev& loop;
  };
  raw::Libev loop;
  Sleeper sleeper(loop);
  time_sleeps(state, [&] {
    ev_now_update(loop.native());
    sleeper.start(loop, in_seconds(kShortSleep));
    loop.run();
  });
#endif
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
  if (BENCH_HAVE_LIBEV) add_lateness(rows, "raw_libev", on_raw_libev);
  if (BENCH_HAVE_LIBEVENT) add_lateness(rows, "raw_libevent", on_raw_libevent);
  add_lateness(rows, "raw_epoll", on_raw_epoll);
  add_lateness(rows, "raw_select", on_raw_select);
});

}  // namespace
}  // namespace bench

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

#if BENCH_HAVE_LIBEV
void on_raw_libev(State& state) {
  raw::Libev loop;
  Sleeper<raw::Libev> sleeper(loop);
  time_sleeps(state, [&] {
    ev_now_update(loop.native());  // it counts from when it last looked at the clock
    sleeper.sleep();
  });
}
#endif

#if BENCH_HAVE_LIBEVENT
void on_raw_libevent(State& state) {
  raw::Libevent loop(true);
  Sleeper<raw::Libevent> sleeper(loop);
  time_sleeps(state, [&] { sleeper.sleep(); });
}
#endif

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
#if BENCH_HAVE_LIBEV
  add_lateness(rows, "raw_libev", on_raw_libev);
#endif
#if BENCH_HAVE_LIBEVENT
  add_lateness(rows, "raw_libevent", on_raw_libevent);
#endif
  add_lateness(rows, "raw_epoll", on_raw_epoll);
  add_lateness(rows, "raw_select", on_raw_select);
});

}  // namespace
}  // namespace bench

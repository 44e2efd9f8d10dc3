// A program that embeds libev in a configuration of its own.  Meson compiles it once for each, with
// the macros that say which, and says by ASYNCIO_TEST_FITS whether ev.h is the one of that libev.
#include <functional>
#include <string>
#include <utility>

#include <sys/wait.h>
#include <unistd.h>

#include <ev.h>
#include <gtest/gtest.h>

#include <asyncio/asyncio.h>
#include <asyncio/backends/libev.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class OwnLibevTest : public testing::Test {
 protected:
  ~OwnLibevTest() override {
    if (host != nullptr) ev_loop_destroy(host);
  }

  struct ev_loop* host = ev_loop_new(EVFLAG_AUTO);
};

#if ASYNCIO_TEST_FITS

/// A timer of the program's own.
struct Timer {
  Timer(struct ev_loop* host, double seconds, std::function<void()> function)
      : callback(std::move(function)) {
    ev_timer_init(&native, &Timer::fire, seconds, 0.);
    ev_timer_start(host, &native);
  }
  static void fire(struct ev_loop* /*host*/, ev_timer* native, int /*events*/) {
    const Timer& self = *reinterpret_cast<Timer*>(native);
    EXPECT_EQ(canary, self.behind);
    self.callback();
  }
  static constexpr unsigned canary = 0x5eed5eed;
  ev_timer native;
  unsigned behind = canary;  // what a libev with larger watchers would overwrite
  std::function<void()> callback;
};

TEST_F(OwnLibevTest, Pitfall20_TasksSleepWaitForDataAndForEachOther) {
  EventLoop loop{attach(host)};
  SocketPair pair;
  std::string log;
  for (int i = 0; i < 50; ++i) {
    loop.create_task([] {
      for (int round = 0; round < 20; ++round) yield();
      sleep(1ms);
    });
  }
  Timer timer{host, 0.002, [&] {
                loop.create_task([&] {
                  auto reader = create_task([&] {
                    wait_readable(pair.a());
                    return pair.read(0);
                  });
                  sleep(1ms);
                  wait_writable(pair.b());
                  pair.write(1, "x");
                  log += await(reader);
                });
              }};
  ev_run(host, 0);
  EXPECT_EQ("x", log);
  EXPECT_EQ(0u, loop.statistics().tasks_alive);
  ev_run(host, 0);  // nothing of ours is left that could keep it
}

TEST_F(OwnLibevTest, Pitfall20_ABusyGuestLeavesTheHostItsTimersAndItsRun) {
  EventLoop loop{attach(host, {.keeps_host_running = false})};
  loop.create_task([] {
    for (;;) yield();
  });
  loop.create_task([] {
    for (;;) sleep(1ms);
  });
  int ticks = 0;
  Timer first{host, 0.001, [&] { ++ticks; }};
  Timer second{host, 0.005, [&] { ++ticks; }};
  ev_run(host, 0);
  EXPECT_EQ(2, ticks);
  for (int i = 0; i < 3; ++i) ev_run(host, EVRUN_NOWAIT);
  loop.shutdown();
  Timer third{host, 0.001, [&] { ++ticks; }};
  ev_run(host, 0);
  EXPECT_EQ(3, ticks);
}

TEST_F(OwnLibevTest, Pitfall20_AfterAForkTheChildGoesOn) {
  EventLoop loop{attach(host)};
  int ticks = 0;
  loop.create_task([&] {
    for (; ticks < 3; ++ticks) sleep(2ms);
  });
  ev_run(host, EVRUN_NOWAIT);
  const ::pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    ev_loop_fork(host);
    loop.after_fork();
    ev_run(host, 0);
    ::_exit(ticks == 3 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(child, ::waitpid(child, &status, 0));
  EXPECT_EQ(0, status);
  ev_run(host, 0);
  EXPECT_EQ(3, ticks);
}

#if EV_CLEANUP_ENABLE
TEST_F(OwnLibevTest, Pitfall20_ALoopThatIsDestroyedFirstIsLeft) {
  EventLoop loop{attach(host)};
  bool unwound = false;
  loop.create_task([&] {
    try {
      sleep(1h);
    } catch (const Cancelled&) {
      unwound = true;
      throw;
    }
  });
  ev_run(host, EVRUN_NOWAIT);
  ev_loop_destroy(std::exchange(host, nullptr));
  loop.shutdown();
  EXPECT_TRUE(unwound);
}
#endif

#else

TEST_F(OwnLibevTest, Pitfall20_AnotherOnesEvHIsRefusedWithAWayOut) {
  const std::string message = message_of<BackendError>([&] { attach(host); });
  EXPECT_TRUE(contains(message, "attach_by_descriptor()")) << message;
  EXPECT_TRUE(contains(message, "ev.h")) << message;
}

#endif

// The library's own backend was compiled with the system's ev.h, and calls what the program has
// linked.
TEST_F(OwnLibevTest, Pitfall20_TheBackendOfTheLibraryWorksOrIsRefused) {
  try {
    EventLoop loop{make_backend("ev")};
    EXPECT_EQ(3, loop.run([] {
      sleep(1ms);
      return 3;
    }));
  } catch (const BackendError& error) {
    EXPECT_TRUE(contains(error.what(), "libev")) << error.what();
  }
  EXPECT_EQ(4, run([] { return 4; }));  // on one that works
}

}  // namespace
}  // namespace asyncio::test

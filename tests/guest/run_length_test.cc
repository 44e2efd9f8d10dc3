// How long a run of the host's lasts, and each of its calls into the guest.
#include <functional>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/guest/guest_test.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

// ---- A guest in the background ------------------------------------------------------------------

constexpr AttachOptions in_background{.keeps_host_running = false};

TEST_F(GuestTest, Pitfall7_AGuestInTheBackgroundLetsTheHostsRunEnd) {
  Guest background{*host, in_background};
  const LoopHandle held = background->handle();
  SocketPair pair;
  int ticks = 0;
  background->create_task([&] {
    for (;; ++ticks) sleep(1ms);
  });
  background->create_task([&] { wait_readable(pair.a()); });
  background->call_later(1h, [] {});
  std::function<void()> work = [&] {
    if (ticks < 3) host->after(1ms, work);
  };
  host->after(1ms, work);
  host->run();
  EXPECT_GE(ticks, 3) << "while the host runs, the guest does";
  EXPECT_EQ(0u, host->pending());
  host->run();  // there is nothing to wait for
  background->shutdown();
}

TEST_F(GuestTest, Pitfall7_ABusyGuestInTheBackgroundDoesNotKeepTheHostEither) {
  Guest background{*host, in_background};
  background->create_task([] {
    for (;;) yield();
  });
  bool ran = false;
  host->after(5ms, [&] { ran = true; });
  host->run();
  EXPECT_TRUE(ran);
  background->shutdown();
}

// What keeps a run going is counted: one count too few would end the host's run early, one too many
// would never end it.
TEST_F(GuestTest, Pitfall7_WhatTheBackgroundDoesLeavesTheHostsOwnCount) {
  for (const bool shut_down : {false, true}) {
    Guest background{*host, in_background};
    int done = 0;
    for (int i = 0; i < 20; ++i) {
      background->create_task([&] {
        SocketPair pair;
        for (int round = 0; round < 3; ++round) {
          call_later(1ms, [&] { pair.write(1, "x"); });
          wait_readable(pair.a());
          pair.read(0);
          wait_writable(pair.a(), 1h);
          to_thread([] {});
        }
        SocketPair closed;
        create_task([&] {
          try {
            wait_readable(closed.a());
          } catch (const FdError&) {
          } catch (const ClosedError&) {
          }
        });
        yield();
        closed.close_silently(0);
        sleep(1ms);
        ++done;
      });
    }
    std::function<void()> wait_for_them = [&] {
      if (done < 20) host->after(1ms, wait_for_them);
    };
    host->after(1ms, wait_for_them);
    host->run();
    EXPECT_EQ(20, done);
    if (shut_down) background->shutdown();
    bool ran = false;
    host->after(5ms, [&] { ran = true; });
    host->run();
    EXPECT_TRUE(ran) << "the host's run ended too early";
    background->shutdown();
  }
}

TEST_F(GuestTest, Pitfall7_BesideOneInTheBackgroundAnotherGuestKeepsTheHost) {
  Guest background{*host, in_background};
  background->create_task([] { sleep(1h); });
  bool ended = false;
  loop->create_task([&] {
    sleep(5ms);
    ended = true;
  });
  host->run();
  EXPECT_TRUE(ended);
  background->shutdown();
}

// ---- Tasks and timers in the background ---------------------------------------------------------

TEST_F(GuestTest, Pitfall7_TasksAndTimersInTheBackgroundKeepNoHost) {
  SocketPair pair;
  int ticks = 0;
  bool read = false;
  const TaskOptions in_the_background{.background = true};
  loop->create_task(
      [&] {
        for (;; ++ticks) sleep(1ms);
      },
      in_the_background);
  loop->create_task(
      [&] {
        wait_readable(pair.a());
        read = true;
      },
      in_the_background);
  loop->add_timer(1ms, [] {}, {.background = true});
  host->run();
  EXPECT_FALSE(read);
  // While anything else keeps the host, they go on.
  pair.write(1, "x");
  const int before = ticks;
  std::function<void()> work = [&] {
    if (ticks < before + 3 || !read) host->after(1ms, work);
  };
  host->after(1ms, work);
  host->run();
  EXPECT_TRUE(read);
  EXPECT_GE(ticks, before + 3);
  host->run();
  loop->shutdown();
}

TEST_F(GuestTest, Pitfall7_WhatIsStartedBesideThemKeepsTheHost) {
  bool child_ended = false;
  bool ended = false;
  loop->create_task(
      [&] {
        create_task([&] {
          sleep(2ms);
          child_ended = true;
        });
        sleep_forever();
      },
      TaskOptions{.background = true});
  host->run();
  EXPECT_TRUE(child_ended);
  host->after(1ms, [&] {
    loop->create_task([&] {
      sleep(2ms);
      ended = true;
    });
  });
  host->run();
  EXPECT_TRUE(ended);
  bool fired = false;
  loop->call_later(2ms, [&] { fired = true; });
  host->run();
  EXPECT_TRUE(fired);
  loop->shutdown();
}

// ---- One call -----------------------------------------------------------------------------------

TEST_F(GuestTest, Pitfall18_AHostThatPollsGetsItsThreadBackFromATaskThatIsAlwaysReady) {
  constexpr int far_too_many = 20'000'000;
  int yields = 0;
  bool stop = false;
  loop->create_task([&] {
    while (!stop && ++yields < far_too_many) yield();
  });
  for (int frame = 0; frame < 5; ++frame) host->poll_once();
  EXPECT_GT(yields, 0);
  EXPECT_LT(yields, far_too_many);
  // Nor is the task forgotten once the host blocks.
  host->after(1ms, [&] { stop = true; });
  host->run();
  EXPECT_TRUE(stop);
}

TEST_F(GuestTest, Pitfall18_TheBudgetCutsDeadlinesAndPostsToo) {
  Guest thrifty{*host, {.budget = 0us}};
  int fired = 0;
  int posted = 0;
  for (int i = 0; i < 10; ++i) thrifty->call_later(0ms, [&] { ++fired; });
  thrifty->call_soon([] {});
  for (int i = 0; i < 3; ++i) host->look();
  EXPECT_LT(fired, 10);
  host->run();
  EXPECT_EQ(10, fired);
  std::thread{[handle = thrifty->handle(), &posted] {
    for (int i = 0; i < 10; ++i) handle.post([&posted] { ++posted; });
  }}.join();
  for (int i = 0; i < 3; ++i) host->look();
  EXPECT_LT(posted, 10);
  host->run();
  EXPECT_EQ(10, posted);
}

}  // namespace
}  // namespace asyncio::test

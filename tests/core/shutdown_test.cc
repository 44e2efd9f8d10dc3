// The end of a run for tasks that will not end.
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/bare_waiter.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class ShutdownTest : public LoopTest {};

TEST_F(ShutdownTest, C54_LeftoverThatNeedsTimeForItsCleanupGetsIt) {
  bool cleaned = false;
  run([&] {
    create_task([&] {
      struct Cleanup {
        bool& flag;
        ~Cleanup() {
          sleep(4s);  // less than the grace period
          flag = true;
        }
      } cleanup{cleaned};
      sleep(1h);
    });
    settle();
  });
  EXPECT_TRUE(cleaned);
  EXPECT_EQ(4s, elapsed());
}

TEST_F(ShutdownTest, C54_SwallowerThatGivesInIsReportedOnlyIfItTookLongerThanTheGracePeriod) {
  run([&] {
    auto task = create_task(
        [&] {
          while (elapsed() < 7s) {
            try {
              sleep(1h);
            } catch (...) {
            }
          }
        },
        "stubborn");
    settle();
    task.cancel();
    await(task);
  });
  ASSERT_EQ(1u, reports.size()) << "once, however often it swallows";
  EXPECT_TRUE(contains(reports[0], "'stubborn' has swallowed its cancellation")) << reports[0];
  reports.clear();
}

// A task that is abandoned is leaked with all it holds, so these run in processes of their own.

void swallow_for_ever() {
  for (;;) {
    try {
      sleep(1h);
    } catch (...) {
    }
  }
}

[[noreturn]] void leave_with_a_swallower() {
  TestClock clock;
  EventLoop loop{make_backend("auto"), LoopOptions{.clock = &clock, .shutdown_grace = 3s}};
  const int result = loop.run([] {
    create_task(swallow_for_ever, "undying");
    settle();
    return 8;
  });
  const Duration took = clock.elapsed();
  // The loop is as good as new.
  const int again = loop.run([] {
    sleep(1s);
    return await(create_task([] { return 2; }));
  });
  const std::size_t alive = loop.statistics().tasks_alive;
  std::fprintf(stderr, "result %d, then %d, alive %zu, took %lld ms\n", result, again, alive,
               static_cast<long long>(took / 1ms));
  std::_Exit(result == 8 && again == 2 && alive == 0 && took >= 3s && took < 4s ? 0 : 1);
}

TEST(ShutdownDeathTest, C54_TaskThatSwallowsForEverIsNamedAfterTheGracePeriodAndRunEnds) {
  EXPECT_EXIT(leave_with_a_swallower(), testing::ExitedWithCode(0),
              "'undying' did not end within the grace period.*result 8, then 2");
}

[[noreturn]] void leave_with_a_shielded_one() {
  TestClock clock;
  EventLoop loop{make_backend("auto"), LoopOptions{.clock = &clock}};
  loop.run([] {
    create_task(
        [] {
          lowlevel::CurrentTask self = lowlevel::enter_shielded("test");
          const lowlevel::NoCancel shield{self};
          BareWaiter never;
          self.suspend(never);
        },
        "stuck");
    settle();
  });
  std::_Exit(clock.elapsed() == 5s ? 0 : 1);
}

TEST(ShutdownDeathTest, C54_TaskThatIsStuckInAShieldedWaitIsNamedWithWhatItWaitsFor) {
  EXPECT_EXIT(leave_with_a_shielded_one(), testing::ExitedWithCode(0),
              "'stuck' did not end within the grace period.*waits for event");
}

[[noreturn]] void swallow_the_deadlock() {
  TestClock clock;
  EventLoop loop{make_backend("auto"), LoopOptions{.clock = &clock}};
  try {
    loop.run([] {
      for (;;) {
        try {
          wait_for_nothing();
        } catch (...) {
        }
      }
    });
  } catch (const DeadlockError&) {
    std::_Exit(0);
  }
  std::_Exit(1);
}

TEST(ShutdownDeathTest, C54_MainThatSwallowsItsDeadlockIsGivenUpToo) {
  EXPECT_EXIT(swallow_the_deadlock(), testing::ExitedWithCode(0),
              "'main' did not end within the grace period");
}

[[noreturn]] void abandon_in_two_runs() {
  TestClock clock;
  EventLoop loop{make_backend("auto"), LoopOptions{.clock = &clock}};
  for (int round = 0; round < 2; ++round) {
    loop.run([] {
      create_task(swallow_for_ever);
      create_task(swallow_for_ever);
      settle();
    });
    if (loop.statistics().tasks_alive != 0) std::_Exit(1);
  }
  loop.run();  // must find nothing to wait for
  std::_Exit(0);
}

TEST(ShutdownDeathTest, C54_EveryRunCountsItsOwnAbandonedTasks) {
  EXPECT_EXIT(abandon_in_two_runs(), testing::ExitedWithCode(0), "");
}

[[noreturn]] void keep_a_handle() {
  AnyTask kept;
  const auto ask_everything = [&] {
    static_cast<void>(kept.cancel());
    static_cast<void>(kept.state());
    static_cast<void>(kept.wait_reason());
    static_cast<void>(kept.stats());
    static_cast<void>(kept.duration());
    static_cast<void>(kept.wait_time());
    kept.add_done_callback([] {});
  };
  {
    TestClock clock;
    EventLoop loop{make_backend("auto"), LoopOptions{.clock = &clock}};
    loop.run([&] {
      kept = create_task(swallow_for_ever);
      settle();
    });
    ask_everything();
    loop.run([] { sleep(1h); });  // whatever was left of it must not come to life
  }
  ask_everything();
  std::thread{[&] { static_cast<void>(kept.cancel()); }}.join();
  kept = {};
  std::fputs("still here\n", stderr);
  std::_Exit(0);
}

TEST(ShutdownDeathTest, C54_HandleOfAnAbandonedTaskStaysHarmless) {
  EXPECT_EXIT(keep_a_handle(), testing::ExitedWithCode(0), "still here");
}

[[noreturn]] void look_at_what_an_abandoned_task_holds() {
  struct OnItsStack {
    ~OnItsStack() { std::_Exit(1); }
    int value = 42;
  };
  const volatile OnItsStack* held = nullptr;
  {
    TestClock clock;
    EventLoop loop{make_backend("auto"), LoopOptions{.clock = &clock}};
    loop.run([&] {
      create_task([&] {
        const OnItsStack local;
        held = &local;
        swallow_for_ever();
      });
      settle();
    });
  }
  std::_Exit(held->value == 42 ? 0 : 2);
}

TEST(ShutdownDeathTest, Hazard5_AnAbandonedTaskIsLeakedWithItsStackNotFreedUnderItsObjects) {
  EXPECT_EXIT(look_at_what_an_abandoned_task_holds(), testing::ExitedWithCode(0), "was abandoned");
}

// ---- The loop's own end -------------------------------------------------------------------------

TEST_F(ShutdownTest, DestroyingALoopThatWasStoppedUnwindsTheTasksThatWait) {
  bool unwound = false;
  Task<void> task;
  {
    EventLoop short_lived{make_backend("auto"), options};
    task = short_lived.create_task([&] {
      struct Cleanup {
        bool& flag;
        ~Cleanup() {
          sleep(1s);
          flag = true;
        }
      } cleanup{unwound};
      sleep(1h);
    });
    short_lived.call_later(1s, [&] { short_lived.stop(); });
    short_lived.run();
    EXPECT_EQ(TaskState::running, task.state());
    EXPECT_FALSE(unwound);
  }
  EXPECT_TRUE(unwound);
  EXPECT_EQ(TaskState::cancelled, task.state());
}

TEST_F(ShutdownTest, DestroyingALoopDestroysTheClosuresOfTasksThatNeverStarted) {
  auto witness = std::make_shared<int>(0);
  {
    EventLoop short_lived{make_backend("auto"), options};
    short_lived.create_task([witness] {});
    short_lived.call_soon([witness] {});
    short_lived.call_later(1h, [witness] {});
    EXPECT_EQ(4, witness.use_count());
  }
  EXPECT_EQ(1, witness.use_count());
}

}  // namespace
}  // namespace asyncio::test

// Tasks and timers that keep nobody waiting.
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/bare_waiter.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class BackgroundTest : public LoopTest {
 protected:
  void cancel_what_is_left() {
    for (const AnyTask& task : loop().tasks()) task.cancel();
    loop().run();
  }
  const TaskOptions in_background{.background = true};
};

TEST_F(BackgroundTest, L36_RunReturnsWhenOnlyTasksInTheBackgroundAreLeft) {
  int ticks = 0;
  auto ticker = loop().create_task(
      [&] {
        for (;; ++ticks) sleep(1s);
      },
      in_background);
  auto work = loop().create_task([] { sleep(3500ms); });
  loop().run();
  EXPECT_TRUE(work.is_done());
  EXPECT_EQ(3, ticks);
  EXPECT_EQ(3500ms, elapsed());
  EXPECT_EQ(TaskState::running, ticker.state()) << "it stays for the next run";
  loop().call_later(2s, [] {});
  loop().run();
  EXPECT_EQ(5, ticks);
  cancel_what_is_left();
}

TEST_F(BackgroundTest, L36_WhateverItWaitsForATaskInTheBackgroundKeepsNobody) {
  SocketPair pair;
  auto reader = loop().create_task([&] { wait_readable(pair.a()); }, in_background);
  auto blocked = loop().create_task([] { wait_for_nothing(); }, in_background);
  auto handler = loop().create_task([] { wait_signal({SIGUSR1}); }, in_background);
  bool began = false;
  loop().call_soon([&] { began = true; });
  loop().run();
  EXPECT_TRUE(began);
  EXPECT_EQ(TaskState::running, reader.state());
  EXPECT_EQ(TaskState::running, blocked.state());
  EXPECT_EQ(TaskState::running, handler.state());
  loop().run();
  EXPECT_EQ(Duration::zero(), elapsed());
  cancel_what_is_left();
}

TEST_F(BackgroundTest, L36_WhatATaskInTheBackgroundMakesCountsByItself) {
  Task<void> child;
  loop().create_task(
      [&] {
        child = create_task([] { sleep(1s); });
        sleep_forever();
      },
      in_background);
  loop().run();
  EXPECT_TRUE(child.is_done());
  EXPECT_EQ(1s, elapsed());
  cancel_what_is_left();
}

TEST_F(BackgroundTest, L36_RunReturnsWhenOnlyTimersInTheBackgroundAreLeft) {
  int ticks = 0;
  const TimerId id = loop().add_timer(1s, [&] { ++ticks; }, {.background = true});
  loop().run();
  EXPECT_EQ(0, ticks);
  loop().call_later(3500ms, [] {});
  loop().run();
  EXPECT_EQ(3, ticks);
  EXPECT_TRUE(loop().del_timer(id));
  bool fired = false;
  loop().add_timer(1s, [&] { fired = true; }, {.persistent = false, .background = true});
  loop().call_later(2s, [] {});
  loop().run();
  EXPECT_TRUE(fired);
  loop().run();
  EXPECT_EQ(5500ms, elapsed());
}

TEST_F(BackgroundTest, L36_ATimerThatIsRemovedCountsNoMore) {
  const TimerId background = loop().add_timer(1h, [] {}, {.background = true});
  EXPECT_TRUE(loop().del_timer(background));
  int ticks = 0;
  TimerId id;
  id = loop().add_timer(1s, [&] {
    if (++ticks == 3) loop().del_timer(id);
  });
  loop().run();
  EXPECT_EQ(3, ticks);
}

TEST_F(BackgroundTest, L36_AnInterfaceAloneDoesNotRunForThemEither) {
  const auto backend = make_backend("auto");
  int ticks = 0;
  backend->add_timer(1ns, [&] { ++ticks; }, {.background = true});
  backend->run();
  EXPECT_EQ(0, ticks);
  backend->add_timer(
      0, [] {}, false);
  backend->run();
}

TEST_F(BackgroundTest, S33_TasksThatNothingCanWakeAreADeadlockBesideThem) {
  auto background = loop().create_task([] { wait_for_nothing(); }, in_background);
  auto blocked = loop().create_task([] { wait_for_nothing(); });
  EXPECT_THROW(loop().run(), DeadlockError);
  blocked.cancel();
  loop().run();
  EXPECT_EQ(TaskState::running, background.state());
  cancel_what_is_left();
}

TEST_F(BackgroundTest, S44_TheEndOfMainCancelsAndJoinsThemAsAll) {
  bool cleaned_up = false;
  run([&] {
    create_task(
        [&] {
          try {
            sleep_forever();
          } catch (const Cancelled&) {
            shield([] { sleep(1s); });
            cleaned_up = true;
            throw;
          }
        },
        in_background);
    yield();
  });
  EXPECT_TRUE(cleaned_up);
  EXPECT_EQ(1s, elapsed());
}

TEST_F(BackgroundTest, TheEndOfTheLoopCancelsAndJoinsThemToo) {
  AnyTask task;
  {
    EventLoop loop{make_backend("auto"), {.clock = &clock}};
    task = loop.create_task([] { sleep_forever(); }, in_background);
    loop.run();
    EXPECT_EQ(TaskState::running, task.state());
  }
  EXPECT_EQ(TaskState::cancelled, task.state());
}

TEST_F(BackgroundTest, S39_ItsFailureIsReportedAsAnyOther) {
  loop().create_task([] { throw std::runtime_error("bad"); }, in_background);
  loop().run();
  EXPECT_EQ(1u, reports.size());
  reports.clear();
}

}  // namespace
}  // namespace asyncio::test

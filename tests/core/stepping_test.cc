// A loop that is stepped by hand: run_once() and run_ready().
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/bare_waiter.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

using Strings = std::vector<std::string>;

class SteppingTest : public LoopTest {};

TEST_F(SteppingTest, RunOnceDoesWhatTheWaitBrought) {
  Strings order;
  loop().call_later(1s, [&] { order.emplace_back("timer"); });
  auto task = loop().create_task([&] {
    order.emplace_back("task");
    sleep(2s);
    order.emplace_back("woken");
  });
  EXPECT_TRUE(loop().run_once());
  EXPECT_EQ((Strings{"task"}), order) << "what is ready needs no wait";
  EXPECT_EQ(0s, elapsed());
  EXPECT_TRUE(loop().run_once());
  EXPECT_EQ((Strings{"task", "timer"}), order);
  EXPECT_EQ(1s, elapsed());
  EXPECT_FALSE(loop().run_once()) << "nothing is left";
  EXPECT_EQ((Strings{"task", "timer", "woken"}), order);
  EXPECT_TRUE(task.is_done());
  EXPECT_FALSE(loop().run_once());
  EXPECT_EQ(2s, elapsed());
}

TEST_F(SteppingTest, RunReadyNeverWaits) {
  Strings order;
  auto task = loop().create_task([&] {
    order.emplace_back("began");
    sleep(1s);
    order.emplace_back("went on");
  });
  EXPECT_TRUE(loop().run_ready());
  EXPECT_TRUE(loop().run_ready());
  EXPECT_EQ((Strings{"began"}), order);
  EXPECT_EQ(0s, elapsed()) << "virtual time does not move";
  clock.advance(1s);
  EXPECT_FALSE(loop().run_ready());
  EXPECT_EQ((Strings{"began", "went on"}), order);
  EXPECT_FALSE(loop().run_ready());
}

TEST_F(SteppingTest, RunReadyMakesOneTurnEvenIfWorkIsLeft) {
  int turns = 0;
  auto busy = loop().create_task([&] {
    for (;; ++turns) yield();
  });
  EXPECT_TRUE(loop().run_ready());
  EXPECT_TRUE(loop().run_ready());
  EXPECT_TRUE(loop().run_once()) << "nor does that wait while something is ready";
  EXPECT_EQ(2, turns);
  busy.cancel();
  EXPECT_FALSE(loop().run_ready());
}

TEST_F(SteppingTest, DescriptorsAndPostsAreLookedAt) {
  SocketPair pair;
  auto reader = loop().create_task([&] { wait_readable(pair.a()); });
  EXPECT_TRUE(loop().run_ready());
  EXPECT_TRUE(loop().run_ready());
  EXPECT_FALSE(reader.is_done());
  pair.write(1, "x");
  EXPECT_FALSE(loop().run_ready());
  EXPECT_TRUE(reader.is_done());

  bool called = false;
  std::thread poster{
      [&, handle = loop().handle()] { handle.call_soon_threadsafe([&] { called = true; }); }};
  while (!called) loop().run_once();
  poster.join();
}

TEST_F(SteppingTest, L3_ATimerOfNoDelayWaitsForTheNextStep) {
  int fired = 0;
  loop().call_soon([&] {
    loop().call_later(0s, [&] {
      ++fired;
      loop().call_later(0s, [&] { ++fired; });
    });
  });
  EXPECT_TRUE(loop().run_ready());
  EXPECT_EQ(0, fired);
  EXPECT_TRUE(loop().run_ready());
  EXPECT_EQ(1, fired);
  EXPECT_FALSE(loop().run_ready());
  EXPECT_EQ(2, fired);
}

TEST_F(SteppingTest, L31_TimersArmedWhileWorkIsLeftComeAfterIt) {
  Strings order;
  loop().call_soon([&] {
    loop().call_soon([&] { order.emplace_back("callback"); });
    loop().call_later(0s, [&] { order.emplace_back("timer"); });
  });
  while (loop().run_ready()) {
  }
  EXPECT_EQ((Strings{"callback", "timer"}), order);
}

TEST_F(SteppingTest, L33_WhatACallbackThrowsComesOutAndTheLoopGoesOn) {
  loop().set_exception_handler(nullptr);
  bool other = false;
  loop().call_soon([] { throw std::runtime_error("bad"); });
  loop().call_soon([&] { other = true; });
  EXPECT_THROW(loop().run_ready(), std::runtime_error);
  loop().run_ready();
  EXPECT_TRUE(other);
}

TEST_F(SteppingTest, L34_StopEndsOneStep) {
  Strings order;
  loop().call_soon([&] {
    order.emplace_back("first");
    loop().stop();
  });
  loop().call_soon([&] { order.emplace_back("second"); });
  EXPECT_TRUE(loop().run_once());
  EXPECT_EQ((Strings{"first"}), order);
  EXPECT_FALSE(loop().run_once());
  EXPECT_EQ((Strings{"first", "second"}), order);
}

TEST_F(SteppingTest, L35_InsideARunItIsRefused) {
  run([&] {
    EXPECT_THROW(loop().run_once(), NestedRunError);
    EXPECT_THROW(loop().run_ready(), NestedRunError);
  });
}

TEST_F(SteppingTest, S33_RunOnceFindsDeadlocksAndRunReadyDoesNot) {
  auto task = loop().create_task([] { wait_for_nothing(); }, "pozzo");
  EXPECT_TRUE(loop().run_once());
  EXPECT_TRUE(loop().run_ready());
  const std::string message = message_of<DeadlockError>([&] { loop().run_once(); });
  EXPECT_TRUE(contains(message, "run_once()")) << message;
  EXPECT_TRUE(contains(message, "task 'pozzo'")) << message;
  task.cancel();
  EXPECT_FALSE(loop().run_once());
}

TEST_F(SteppingTest, L36_TheBackgroundIsNothingThatIsLeft) {
  auto task = loop().create_task([] { sleep_forever(); }, {.background = true});
  EXPECT_FALSE(loop().run_once());
  EXPECT_FALSE(loop().run_once()) << "and no deadlock";
  task.cancel();
  loop().run_once();
}

TEST_F(SteppingTest, AMainMayFollow) {
  auto task = loop().create_task([] { sleep(1s); });
  loop().run_ready();
  EXPECT_EQ(1, run([&] {
              await(task);
              return 1;
            }));
}

}  // namespace
}  // namespace asyncio::test

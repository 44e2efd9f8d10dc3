// Timers, the same on every backend (cases L1 to L11).
#include <cmath>
#include <limits>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class TimerConformance : public LoopTest {};

TEST_F(TimerConformance, L1_ATimerFiresAtItsDeadlineByAFreshClockNotBefore) {
  run([&] {
    clock.advance(50ms);  // the loop has been busy: its own idea of "now" must not be used
    const TimePoint armed = loop().now();
    TimePoint fired{};
    loop().call_later(10ms, [&] { fired = loop().now(); });
    sleep(1s);
    EXPECT_EQ(10ms, fired - armed);
  });
}

TEST_F(TimerConformance, L2_EqualDeadlinesFireInOrderOfCreation) {
  run([&] {
    std::vector<int> order;
    const TimePoint when = loop().now() + 5ms;
    for (int i = 0; i < 8; ++i) loop().call_at(when, [&order, i] { order.push_back(i); });
    sleep(10ms);
    EXPECT_EQ((std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}), order);
  });
}

TEST_F(TimerConformance, L3_ZeroDelayComesAfterWhatIsReadyAndNeverInsideTheCall) {
  keep_order();
  run([&] {
    std::vector<std::string> order;
    auto ready = create_task([&] { order.emplace_back("ready task"); });
    loop().call_later(0, [&] { order.emplace_back("zero timer"); });
    loop().call_later(-1.0, [&] { order.emplace_back("negative timer"); });
    order.emplace_back("armed");
    sleep(1ms);
    EXPECT_EQ((std::vector<std::string>{"armed", "ready task", "zero timer", "negative timer"}),
              order);
    await(ready);
  });
}

TEST_F(TimerConformance, L3_AZeroTimerThatRearmsItselfStarvesNoTask) {
  run([&] {
    int fired = 0;
    std::function<void()> again = [&] {
      if (++fired < 1000) loop().call_later(0, [&] { again(); });
    };
    loop().call_later(0, [&] { again(); });
    for (int i = 0; i < 10; ++i) yield();
    EXPECT_LT(fired, 1000) << "the task had to wait for all of them";
    sleep(1ms);
    EXPECT_EQ(1000, fired);
  });
}

TEST_F(TimerConformance, L4_NotANumberIsRefusedAtArming) {
  run([&] {
    EXPECT_THROW(loop().call_later(std::nan(""), [] {}), std::invalid_argument);
    EXPECT_THROW(loop().add_timer(std::nan(""), [] {}), std::invalid_argument);
    EXPECT_THROW(sleep(std::nan("")), std::invalid_argument);
  });
}

TEST_F(TimerConformance, L4_InfinityAndHugeDelaysDoNotOverflow) {
  run([&] {
    bool fired = false;
    const TimerId forever =
        loop().call_later(std::numeric_limits<double>::infinity(), [&] { fired = true; });
    const TimerId longest = loop().call_later(Duration::max(), [&] { fired = true; });
    const TimerId years = loop().call_later(std::chrono::hours{24 * 366 * 500}, [&] { fired = true; });
    sleep(1h);
    EXPECT_FALSE(fired);
    EXPECT_TRUE(loop().del_timer(forever));
    EXPECT_TRUE(loop().del_timer(longest));
    EXPECT_TRUE(loop().del_timer(years));
  });
}

TEST_F(TimerConformance, L5_ATimerMayRemoveItselfAndOthersThatAreDue) {
  run([&] {
    int first = 0;
    int second = 0;
    TimerId own;
    TimerId other;
    own = loop().add_timer(1ms, [&] {
      ++first;
      EXPECT_TRUE(loop().del_timer(own));
      EXPECT_TRUE(loop().del_timer(other));
    });
    other = loop().call_later(1ms, [&] { ++second; });
    sleep(10ms);
    EXPECT_EQ(1, first);
    EXPECT_EQ(0, second);
  });
}

TEST_F(TimerConformance, L5_RemovingTwiceOrAfterFiringOrAStrangerIsNoOp) {
  run([&] {
    EXPECT_FALSE(loop().del_timer(TimerId{}));
    EXPECT_FALSE(loop().del_timer(TimerId{123456789}));
    const TimerId removed = loop().call_later(1ms, [] {});
    EXPECT_TRUE(loop().del_timer(removed));
    EXPECT_FALSE(loop().del_timer(removed));
    const TimerId fired = loop().call_later(1ms, [] {});
    sleep(2ms);
    EXPECT_FALSE(loop().del_timer(fired));
    const TimerId next = loop().call_later(1ms, [] {});
    EXPECT_NE(removed, next);
    EXPECT_NE(fired, next);
    EXPECT_TRUE(loop().del_timer(next));
  });
}

TEST_F(TimerConformance, L6_TimersMadeInATimersCallbackWaitForTheNextTurn) {
  run([&] {
    std::vector<std::string> order;
    const TimePoint when = loop().now() + 1ms;
    loop().call_at(when, [&] {
      order.emplace_back("first");
      loop().call_at(when, [&] { order.emplace_back("made in first"); });
      loop().call_soon([&] { order.emplace_back("soon"); });
    });
    loop().call_at(when, [&] { order.emplace_back("second"); });
    sleep(5ms);
    EXPECT_EQ((std::vector<std::string>{"first", "second", "soon", "made in first"}), order);
  });
}

TEST_F(TimerConformance, L7_APersistentTimerSkipsMissedTicksAndDoesNotDrift) {
  run([&] {
    std::vector<Duration> ticks;
    const TimePoint start = loop().now();
    const TimerId id = loop().add_timer(10ms, [&] { ticks.push_back(loop().now() - start); });
    sleep(25ms);
    clock.advance(30ms);  // busy until 55 ms: the ticks of 30, 40 and 50 come as one
    sleep(20ms);
    loop().del_timer(id);
    EXPECT_EQ((std::vector<Duration>{10ms, 20ms, 55ms, 60ms, 70ms}), ticks);
  });
}

TEST_F(TimerConformance, L7_APersistentTimerNeedsAPositiveInterval) {
  run([&] {
    EXPECT_THROW(loop().add_timer(0, [] {}), std::invalid_argument);
    EXPECT_THROW(loop().add_timer(-1ms, [] {}), std::invalid_argument);
    EXPECT_THROW(loop().add_timer(1ms, nullptr), std::invalid_argument);
  });
}

TEST_F(TimerConformance, L8_ACallbackLongerThanItsIntervalStarvesNobody) {
  run([&] {
    int ticks = 0;
    const TimerId id = loop().add_timer(1ms, [&] {
      ++ticks;
      clock.advance(5ms);
    });
    sleep(20ms);
    loop().del_timer(id);
    EXPECT_GE(ticks, 2);
    EXPECT_LE(ticks, 6) << "missed ticks must be skipped";
  });
}

TEST_F(TimerConformance, L9_AMillionTimersArmedAndRemovedLeaveNothing) {
  run([&] {
    const std::size_t before = loop().statistics().timers;
    std::vector<TimerId> ids;
    for (int round = 0; round < 1000; ++round) {
      ids.clear();
      for (int i = 0; i < 1000; ++i) ids.push_back(loop().call_later(i + 1, [] {}));
      for (const TimerId id : ids) ASSERT_TRUE(loop().del_timer(id));
    }
    EXPECT_EQ(before, loop().statistics().timers);
  });
}

TEST_F(TimerConformance, InterfaceAloneRunsItsTimersAndEnds) {
  auto backend = make_backend("auto");
  int once = 0;
  int often = 0;
  TimerId id;
  backend->add_timer(1ms, [&] { ++once; }, false);
  id = backend->add_timer(1ms, [&] {
    if (++often == 3) backend->del_timer(id);
  });
  backend->run();
  EXPECT_EQ(1, once);
  EXPECT_EQ(3, often);
  backend->run();  // nothing left: returns
  backend->add_timer(1h, [] {}, false);
  backend->stop();
  backend->run();  // stopped before it began
}

}  // namespace
}  // namespace asyncio::test

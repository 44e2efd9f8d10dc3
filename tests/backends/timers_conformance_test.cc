// Timers, the same on every backend (cases L1 to L11; what needs real time is in
// slow/timers_slow_test.cc).
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <malloc.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/scale.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

using Strings = std::vector<std::string>;

class TimerConformance : public LoopTest {
 protected:
  std::uint64_t turns() { return loop().statistics().turns; }
};

// ---- L1: from a fresh clock, never early --------------------------------------------------------

TEST_F(TimerConformance, L1_DelayCountsFromAFreshClockNotFromTheTurnsBeginning) {
  run([&] {
    clock.advance(50ms);  // the loop has been busy: its own idea of "now" must not be used
    const TimePoint armed = loop().now();
    TimePoint fired{};
    loop().call_later(10ms, [&] { fired = loop().now(); });
    sleep(1s);
    EXPECT_EQ(10ms, fired - armed);
  });
}

TEST_F(TimerConformance, L1_DelayArmedByABusyCallbackCountsFromThere) {
  run([&] {
    TimePoint armed{};
    TimePoint fired{};
    loop().call_later(1ms, [&] {
      clock.advance(50ms);
      armed = loop().now();
      loop().call_later(10ms, [&] { fired = loop().now(); });
    });
    sleep(1s);
    EXPECT_EQ(10ms, fired - armed);
  });
}

TEST_F(TimerConformance, L1_SleepAndItsDeadlineAreExactToTheNanosecond) {
  run([&] {
    for (const Duration delay : {Duration{1}, Duration{999}, Duration{1'000'001}, Duration{7s}}) {
      const TimePoint before = loop().now();
      sleep(delay);
      EXPECT_EQ(delay, loop().now() - before);
    }
  });
}

// ---- L2: equal deadlines ------------------------------------------------------------------------

TEST_F(TimerConformance, L2_EqualDeadlinesFireInOrderOfCreation) {
  run([&] {
    constexpr int count = 500;
    std::vector<int> order;
    const TimePoint when = loop().now() + 5ms;
    for (int i = 0; i < count; ++i) loop().call_at(when, [&order, i] { order.push_back(i); });
    sleep(10ms);
    ASSERT_EQ(static_cast<std::size_t>(count), order.size());
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  });
}

TEST_F(TimerConformance, L2_OrderOfCreationSurvivesRemovalsAndOtherDeadlinesBetween) {
  run([&] {
    std::vector<int> order;
    std::vector<TimerId> removed;
    const TimePoint when = loop().now() + 5ms;
    for (int i = 0; i < 200; ++i) {
      const TimerId id = loop().call_at(when, [&order, i] { order.push_back(i); });
      if (i % 3 == 0) removed.push_back(id);
      removed.push_back(loop().call_at(when - Duration{i}, [] {}));
      removed.push_back(loop().call_at(when + Duration{i}, [] {}));
    }
    for (const TimerId id : removed) EXPECT_TRUE(loop().del_timer(id));
    sleep(10ms);
    EXPECT_EQ(133u, order.size());
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  });
}

TEST_F(TimerConformance, L2_SleepersWithOneDeadlineWakeInTheOrderTheyWentToSleep) {
  keep_order();
  run([&] {
    std::vector<int> order;
    std::vector<Task<void>> sleepers;
    const TimePoint when = loop().now() + 5ms;
    for (int i = 0; i < 50; ++i) {
      sleepers.push_back(create_task([&order, when, i] {
        sleep_until(when);
        order.push_back(i);
      }));
    }
    for (auto& sleeper : sleepers) await(sleeper);
    EXPECT_EQ(50u, order.size());
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  });
}

TEST_F(TimerConformance, L2_EarlierDeadlinesFireFirstWhateverTheOrderOfCreation) {
  run([&] {
    std::vector<int> delays(200);
    for (int i = 0; i < 200; ++i) delays[static_cast<std::size_t>(i)] = i;
    std::shuffle(delays.begin(), delays.end(), std::minstd_rand{7});
    std::vector<int> order;
    for (const int delay : delays) {
      loop().call_later(delay * 1us, [&order, delay] { order.push_back(delay); });
    }
    clock.advance(1s);  // all of them are due in one turn
    sleep(1ms);
    EXPECT_EQ(200u, order.size());
    EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  });
}

// ---- L3: zero and negative delays ---------------------------------------------------------------

TEST_F(TimerConformance, L3_ZeroDelayComesAfterWhatIsReadyAndNeverInsideTheCall) {
  keep_order();
  run([&] {
    Strings order;
    auto ready = create_task([&] { order.emplace_back("ready task"); });
    loop().call_later(0, [&] { order.emplace_back("zero timer"); });
    loop().call_later(-1.0, [&] { order.emplace_back("negative timer"); });
    loop().call_at(TimePoint::min(), [&] { order.emplace_back("timer of long ago"); });
    order.emplace_back("armed");
    sleep(1ms);
    // What was due longer ago fires first; "-1 s from now" means now.
    EXPECT_EQ((Strings{"armed", "ready task", "timer of long ago", "zero timer", "negative timer"}),
              order);
    await(ready);
  });
}

TEST_F(TimerConformance, L3_ZeroDelayTakesNoTime) {
  run([&] {
    bool fired = false;
    loop().call_later(0, [&] { fired = true; });
    settle();
    EXPECT_TRUE(fired);
    EXPECT_EQ(Duration::zero(), elapsed());
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

TEST_F(TimerConformance, L3_AZeroTimerThatRearmsItselfStarvesNoDescriptor) {
  run([&] {
    SocketPair pair;
    bool stop = false;
    int fired = 0;
    std::function<void()> again = [&] {
      ++fired;
      if (!stop && fired < 100'000) loop().call_later(0, [&] { again(); });
    };
    loop().call_later(0, [&] { again(); });
    for (int i = 0; i < 10; ++i) {
      pair.write(1, "x");
      wait_readable(pair.a());
      EXPECT_EQ("x", pair.read(0));
    }
    stop = true;
    settle();
    EXPECT_LT(fired, 1000);
  });
}

// ---- L4: what is no ordinary number -------------------------------------------------------------

TEST_F(TimerConformance, L4_NotANumberIsRefusedAtArming) {
  run([&] {
    SocketPair pair;
    const double nan = std::nan("");
    EXPECT_THROW(loop().call_later(nan, [] {}), std::invalid_argument);
    EXPECT_THROW(loop().add_timer(nan, [] {}), std::invalid_argument);
    EXPECT_THROW(loop().add_timer(
                     nan, [] {}, false),
                 std::invalid_argument);
    EXPECT_THROW(loop().call_later(std::chrono::duration<float>{std::nanf("")}, [] {}),
                 std::invalid_argument);
    EXPECT_THROW(sleep(nan), std::invalid_argument);
    EXPECT_THROW(wait_readable(pair.a(), nan), std::invalid_argument);
    EXPECT_THROW(wait_writable(pair.a(), nan), std::invalid_argument);
    EXPECT_EQ(0u, loop().statistics().timers);
  });
}

TEST_F(TimerConformance, L4_InfinityAndWhatIsBeyondTheClockNeverFire) {
  run([&] {
    bool fired = false;
    const auto fire = [&] { fired = true; };
    const double infinity = std::numeric_limits<double>::infinity();
    const TimerId timers[] = {
        loop().call_later(infinity, fire),
        loop().call_later(1e300, fire),
        loop().call_later(Duration::max(), fire),
        loop().call_later(std::chrono::hours{24 * 366 * 500}, fire),
        loop().add_timer(infinity, fire),
        loop().call_at(TimePoint::max(), fire),
    };
    clock.advance(std::chrono::hours{24 * 365 * 100});
    sleep(1h);
    EXPECT_FALSE(fired);
    for (const TimerId id : timers) EXPECT_TRUE(loop().del_timer(id));
    // The other end of the scale is simply due.
    loop().call_later(-infinity, fire);
    settle();
    EXPECT_TRUE(fired);
  });
}

TEST_F(TimerConformance, L4_ALongDelayKeepsItsDeadline) {
  run([&] {
    for (const auto days : {2, 50, 36'500}) {  // beyond 24 h, 32 bits of ms, and a lifetime
      const Duration delay = days * 24h + 1ns;
      const TimePoint before = loop().now();
      sleep(delay);
      EXPECT_EQ(delay, loop().now() - before);
    }
  });
}

TEST_F(TimerConformance, L4_ASleeperForEverCanBeCancelled) {
  run([&] {
    auto sleeper = create_task([] { sleep(std::numeric_limits<double>::infinity()); });
    settle();
    sleeper.cancel();
    EXPECT_THROW(await(sleeper), TaskCancelledException);
    EXPECT_EQ(Duration::zero(), elapsed());
  });
}

// ---- L5: removing -------------------------------------------------------------------------------

TEST_F(TimerConformance, L5_APersistentTimerMayRemoveItself) {
  run([&] {
    int fired = 0;
    TimerId own;
    auto witness = std::make_shared<int>(0);
    own = loop().add_timer(1ms, [&, witness] {
      ++fired;
      EXPECT_TRUE(loop().del_timer(own));
      EXPECT_FALSE(loop().del_timer(own));
      EXPECT_EQ(2, witness.use_count()) << "the callback that runs was destroyed";
    });
    sleep(10ms);
    EXPECT_EQ(1, fired);
    EXPECT_EQ(1, witness.use_count()) << "the callback of a timer that is gone is still there";
  });
}

TEST_F(TimerConformance, L5_ATimerRemovesAnotherThatIsDueInTheSameTurn) {
  run([&] {
    int first = 0;
    int others = 0;
    TimerId once;
    TimerId often;
    loop().call_later(1ms, [&] {
      ++first;
      EXPECT_TRUE(loop().del_timer(once));
      EXPECT_TRUE(loop().del_timer(often));
    });
    once = loop().call_later(1ms, [&] { ++others; });
    often = loop().add_timer(1ms, [&] { ++others; });
    sleep(10ms);
    EXPECT_EQ(1, first);
    EXPECT_EQ(0, others);
  });
}

TEST_F(TimerConformance, L5_ATimerRemovesOneThatIsDueButWasMadeInThisTurn) {
  bool other_fired = false;
  TimerId other;
  const auto witness = std::make_shared<int>(0);
  loop().call_later(1ms, [&] { EXPECT_TRUE(loop().del_timer(other)); });
  loop().call_soon([&] {
    clock.advance(1ms);
    // Due before the one above, but of this turn.
    other = loop().call_at(loop().now() - 1h, [&, witness] { other_fired = true; });
    call_soon([] {});  // there is work left, so this turn's timers are not looked at
  });
  run();
  EXPECT_FALSE(other_fired);
  EXPECT_EQ(1, witness.use_count());
}

TEST_F(TimerConformance, L5_ATimerCancelsASleeperWhoseTimeIsOfThisTurn) {
  auto sleeper = loop().create_task([&] {
    clock.advance(1ms);
    SocketPair pair;
    EXPECT_THROW(wait_readable(pair.a(), -1h), Cancelled);  // due at once, and armed in this turn
  });
  loop().call_soon([] { call_soon([] {}); });
  loop().call_later(1ms, [&] { EXPECT_TRUE(sleeper.cancel()); });
  run();
  EXPECT_TRUE(sleeper.is_done());
}

TEST_F(TimerConformance, L5_AOneShotTimerIsGoneWhenItsCallbackRuns) {
  run([&] {
    TimerId own;
    bool ran = false;
    own = loop().call_later(1ms, [&] {
      ran = true;
      EXPECT_FALSE(loop().del_timer(own));
    });
    sleep(2ms);
    EXPECT_TRUE(ran);
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
  });
}

TEST_F(TimerConformance, L5_IdsAreNeverUsedAgain) {
  run([&] {
    std::vector<TimerId> dead;
    for (int i = 0; i < 1000; ++i) {
      dead.push_back(loop().call_later(1ms, [] {}));
      if (i % 2 == 0) loop().del_timer(dead.back());
    }
    sleep(2ms);
    for (int i = 0; i < 1000; ++i) {
      const TimerId living = loop().call_later(1ms, [] {});
      EXPECT_EQ(dead.end(), std::find(dead.begin(), dead.end(), living));
    }
    for (const TimerId id : dead) EXPECT_FALSE(loop().del_timer(id));
    EXPECT_EQ(1000u, loop().statistics().timers);
    sleep(2ms);
  });
}

// ---- L6: a turn's own timers --------------------------------------------------------------------

TEST_F(TimerConformance, L6_TimersMadeInATimersCallbackWaitForTheNextTurn) {
  run([&] {
    Strings order;
    std::uint64_t first_turn = 0;
    std::uint64_t made_turn = 0;
    const TimePoint when = loop().now() + 1ms;
    loop().call_at(when, [&] {
      order.emplace_back("first");
      first_turn = turns();
      loop().call_at(when, [&] {
        order.emplace_back("made in first");
        made_turn = turns();
      });
      loop().call_soon([&] { order.emplace_back("soon"); });
    });
    loop().call_at(when, [&] { order.emplace_back("second"); });
    sleep(5ms);
    EXPECT_EQ((Strings{"first", "second", "soon", "made in first"}), order);
    EXPECT_GT(made_turn, first_turn);
  });
}

TEST_F(TimerConformance, L6_ATimerThatRearmsItselfInThePastRunsOnceATurn) {
  run([&] {
    std::vector<std::uint64_t> fired_in;
    std::function<void()> again = [&] {
      fired_in.push_back(turns());
      if (fired_in.size() < 20) loop().call_at(loop().now() - 1h, [&] { again(); });
    };
    loop().call_later(1ms, [&] { again(); });
    sleep(5ms);
    ASSERT_EQ(20u, fired_in.size());
    EXPECT_EQ(fired_in.end(), std::adjacent_find(fired_in.begin(), fired_in.end()))
        << "twice in one turn";
  });
}

// ---- L7: persistent timers ----------------------------------------------------------------------

TEST_F(TimerConformance, L7_APersistentTimerDoesNotDrift) {
  run([&] {
    std::vector<Duration> ticks;
    const TimePoint start = loop().now();
    const TimerId id = loop().add_timer(10ms, [&] {
      ticks.push_back(loop().now() - start);
      clock.advance(3ms);  // the callback takes its time
    });
    sleep(55ms);
    loop().del_timer(id);
    EXPECT_EQ((std::vector<Duration>{10ms, 20ms, 30ms, 40ms, 50ms}), ticks);
  });
}

TEST_F(TimerConformance, L7_MissedTicksAreSkippedNotReplayed) {
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

TEST_F(TimerConformance, L7_LateByExactlyAnIntervalIsStillOneTick) {
  run([&] {
    std::vector<Duration> ticks;
    const TimePoint start = loop().now();
    const TimerId id = loop().add_timer(10ms, [&] { ticks.push_back(loop().now() - start); });
    clock.advance(20ms);  // the ticks of 10 and of 20 ms are both due
    sleep(15ms);
    loop().del_timer(id);
    EXPECT_EQ((std::vector<Duration>{20ms, 30ms}), ticks);
  });
}

TEST_F(TimerConformance, L7_ItIsArmedAnewBeforeItsCallbackRuns) {
  run([&] {
    std::size_t armed = 0;
    TimerId id;
    id = loop().add_timer(10ms, [&] {
      armed = loop().statistics().timers;
      EXPECT_TRUE(loop().del_timer(id)) << "so removing it inside works";
    });
    sleep(50ms);
    EXPECT_EQ(2u, armed) << "itself and the sleep";
  });
}

TEST_F(TimerConformance, L7_AnExceptionOfItsCallbackDoesNotEndIt) {
  int ticks = 0;
  run([&] {
    const TimerId id = loop().add_timer(10ms, [&] {
      ++ticks;
      throw std::runtime_error("tick");
    });
    sleep(35ms);
    EXPECT_TRUE(loop().del_timer(id));
  });
  EXPECT_EQ(3, ticks);
  EXPECT_EQ(3u, reports.size());
  reports.clear();
}

TEST_F(TimerConformance, L7_ItNeedsAPositiveIntervalAndACallback) {
  run([&] {
    EXPECT_THROW(loop().add_timer(0, [] {}), std::invalid_argument);
    EXPECT_THROW(loop().add_timer(-1ms, [] {}), std::invalid_argument);
    EXPECT_THROW(loop().add_timer(1ms, nullptr), std::invalid_argument);
    EXPECT_THROW(loop().add_timer(1ms, nullptr, false), std::invalid_argument);
    EXPECT_THROW(loop().call_at(loop().now(), nullptr), std::invalid_argument);
    EXPECT_EQ(0u, loop().statistics().timers);
  });
}

// ---- L8 to L10 ----------------------------------------------------------------------------------

TEST_F(TimerConformance, L8_ACallbackLongerThanItsIntervalStarvesNobody) {
  run([&] {
    SocketPair pair;
    int ticks = 0;
    int other_ticks = 0;
    const TimerId slow = loop().add_timer(1ms, [&] {
      ++ticks;
      clock.advance(5ms);
    });
    const TimerId other = loop().add_timer(1ms, [&] { ++other_ticks; });
    auto yielder = create_task([&] {
      for (int i = 0; i < 50; ++i) yield();
      return ticks;
    });
    EXPECT_LE(await(yielder), 55);
    for (int i = 0; i < 10; ++i) {
      pair.write(1, "x");
      const int before = ticks;
      wait_readable(pair.a());
      EXPECT_LE(ticks - before, 3);
      pair.read(0);
    }
    const int before = ticks;
    sleep(20ms);
    EXPECT_LE(ticks - before, 6) << "missed ticks must be skipped";
    EXPECT_GE(other_ticks + 1, ticks) << "the other timer was passed over";
    loop().del_timer(slow);
    loop().del_timer(other);
  });
}

TEST_F(TimerConformance, L9_AMillionTimersArmedAndRemovedLeaveNothing) {
  run([&] {
    std::vector<TimerId> ids(1000);
    const auto round = [&] {
      for (std::size_t i = 0; i < ids.size(); ++i) {
        ids[i] = loop().call_later(static_cast<double>(i + 1), [] {});
      }
      for (const TimerId id : ids) ASSERT_TRUE(loop().del_timer(id));
    };
    round();
    const std::size_t before = ::mallinfo2().uordblks;  // zero under a sanitizer
    for (std::size_t i = 0; i < scaled(1000); ++i) round();
    EXPECT_EQ(0u, loop().statistics().timers);
    EXPECT_LE(::mallinfo2().uordblks, before + 64 * 1024);
  });
}

TEST_F(TimerConformance, L9_ManyTimersAtOnceRemovedInAnyOrderLeaveNothing) {
  run([&] {
    std::vector<TimerId> ids;
    for (std::size_t i = 0; i < scaled(100'000); ++i) {
      ids.push_back(loop().call_later(static_cast<double>(i * 7919 % 10'007) + 1, [] {}));
    }
    std::shuffle(ids.begin(), ids.end(), std::minstd_rand{11});
    for (const TimerId id : ids) ASSERT_TRUE(loop().del_timer(id));
    EXPECT_EQ(0u, loop().statistics().timers);
    sleep(1ms);
    EXPECT_EQ(1ms, elapsed()) << "the loop woke for a timer that is gone";
  });
}

TEST_F(TimerConformance, L10_AfterAnHourAwayEachDueTimerFiresOnceInOrder) {
  run([&] {
    Strings order;
    loop().call_later(10min, [&] { order.emplace_back("ten minutes"); });
    loop().call_later(5min, [&] { order.emplace_back("five minutes"); });
    const TimerId every = loop().add_timer(1s, [&] { order.emplace_back("every second"); });
    auto sleeper = create_task([&] {
      sleep(20min);
      order.emplace_back("sleeper");
    });
    settle();
    clock.advance(1h);  // stopped by a signal, or a debugger
    settle();
    EXPECT_EQ((Strings{"every second", "five minutes", "ten minutes", "sleeper"}), order);
    EXPECT_TRUE(loop().del_timer(every));
    await(sleeper);
  });
}

// ---- The interface alone, without an EventLoop --------------------------------------------------

TEST_F(TimerConformance, InterfaceAloneRunsItsTimersAndEnds) {
  auto backend = make_backend("auto");
  int once = 0;
  int often = 0;
  TimerId id;
  backend->add_timer(
      1ms, [&] { ++once; }, false);
  id = backend->add_timer(1ms, [&] {
    if (++often == 3) backend->del_timer(id);
  });
  backend->run();
  EXPECT_EQ(1, once);
  EXPECT_EQ(3, often);
  backend->run();  // nothing left: returns
  const TimerId late = backend->add_timer(
      1h, [] {}, false);
  backend->stop();
  backend->run();  // stopped before it began
  EXPECT_TRUE(backend->del_timer(late));
}

TEST_F(TimerConformance, InterfaceAloneStopsAfterTheCurrentCallback) {
  auto backend = make_backend("auto");
  Strings order;
  backend->add_timer(
      0,
      [&] {
        order.emplace_back("first");
        backend->stop();
        backend->stop();
      },
      false);
  backend->add_timer(
      0, [&] { order.emplace_back("second"); }, false);
  backend->run();
  EXPECT_EQ((Strings{"first"}), order);
  backend->run();
  EXPECT_EQ((Strings{"first", "second"}), order);
}

TEST_F(TimerConformance, InterfaceAloneLetsAnExceptionOutAndGoesOnInTheNextRun) {
  auto backend = make_backend("auto");
  int ran = 0;
  backend->add_timer(
      0, [] { throw std::runtime_error("first"); }, false);
  backend->add_timer(
      0, [&] { ++ran; }, false);
  EXPECT_THROW(backend->run(), std::runtime_error);
  backend->run();
  EXPECT_EQ(1, ran);
}

TEST_F(TimerConformance, InterfaceAloneRefusesARunInsideItsRun) {
  auto backend = make_backend("auto");
  bool refused = false;
  backend->add_timer(
      0,
      [&] {
        try {
          backend->run();
        } catch (const NestedRunError&) {
          refused = true;
        }
      },
      false);
  backend->run();
  EXPECT_TRUE(refused);
}

TEST_F(TimerConformance, InterfaceOfAnEventLoopRefusesToRunByItself) {
  EXPECT_THROW(loop().backend().run(), InvalidStateError);
}

}  // namespace
}  // namespace asyncio::test

// One suspension: what ends it, what is dropped, and code that must not suspend at all.
#include <string>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;
using lowlevel::Wake;

class SuspendTest : public LoopTest {};

// A wait that the test ends by hand.
struct HandWaiter : lowlevel::Waiter {
  HandWaiter() : Waiter(by_hand) {}
  static bool undo(Waiter& waiter) noexcept {
    auto& self = static_cast<HandWaiter&>(waiter);
    ++self.aborts;
    return self.can_abort;
  }
  static constexpr lowlevel::WaitReason by_hand{"event", &undo};

  Wake wait() { return lowlevel::enter("the test").park(*this); }
  Wake wait_until(TimePoint deadline) {
    return lowlevel::enter("the test").park_until(*this, deadline);
  }
  int aborts = 0;
  bool can_abort = true;
};

TEST_F(SuspendTest, R3_FirstToEndTheWaitWins) {
  run([] {
    Wake outcome = Wake::pending;
    HandWaiter waiter;
    auto task = create_task([&] { outcome = waiter.wait(); });
    settle();
    lowlevel::wake(waiter);
    lowlevel::wake(waiter, Wake::broken);
    task.cancel();
    await(task);
    EXPECT_EQ(Wake::completed, outcome);
    EXPECT_EQ(0, waiter.aborts);
  });
}

TEST_F(SuspendTest, R3_WakerThatComesAfterTheCancelIsDropped) {
  run([] {
    Wake outcome = Wake::pending;
    HandWaiter waiter;
    auto task = create_task([&] { outcome = waiter.wait(); });
    settle();
    task.cancel();
    lowlevel::wake(waiter);
    settle();
    EXPECT_EQ(Wake::cancelled, outcome);
    EXPECT_EQ(1, waiter.aborts);
  });
}

TEST_F(SuspendTest, R4_AbortIsAskedAtMostOnceEvenIfItRefuses) {
  run([] {
    Wake outcome = Wake::pending;
    HandWaiter waiter;
    waiter.can_abort = false;
    bool went_on = false;
    auto task = create_task([&] {
      outcome = waiter.wait();
      checkpoint();
      went_on = true;
    });
    settle();
    task.cancel();
    task.cancel();
    settle();
    EXPECT_EQ(Wake::pending, outcome) << "it will complete";
    EXPECT_EQ(1, waiter.aborts);
    lowlevel::wake(waiter);
    settle();
    EXPECT_EQ(Wake::completed, outcome);
    EXPECT_EQ(TaskState::cancelled, task.state()) << "the cancel stayed pending";
    EXPECT_FALSE(went_on);
  });
}

TEST_F(SuspendTest, DeadlineEndsTheWaitAndAsksForTheAbort) {
  run([&] {
    HandWaiter waiter;
    EXPECT_EQ(Wake::timed_out, waiter.wait_until(clock.now() + 2s));
    EXPECT_EQ(1, waiter.aborts);
    EXPECT_EQ(2s, elapsed());
    lowlevel::wake(waiter);  // too late: nothing happens
    sleep(1s);
    EXPECT_EQ(3s, elapsed());
  });
}

TEST_F(SuspendTest, WakeBeforeTheDeadlineDisarmsIt) {
  run([&] {
    HandWaiter waiter;
    loop().call_later(1s, [&] { lowlevel::wake(waiter); });
    EXPECT_EQ(Wake::completed, waiter.wait_until(clock.now() + 2s));
    EXPECT_EQ(0, waiter.aborts);
    EXPECT_EQ(0u, loop().statistics().timers);
  });
}

TEST_F(SuspendTest, R11_WakerBeatsADeadlineOfTheSameTurn) {
  run([&] {
    HandWaiter waiter;
    loop().call_later(1s, [&] { lowlevel::wake(waiter); });
    EXPECT_EQ(Wake::completed, waiter.wait_until(clock.now() + 1s));
    EXPECT_EQ(0, waiter.aborts);
  });
}

TEST_F(SuspendTest, DeadlineInThePastStillGivesTheWakerThisTurn) {
  run([&] {
    HandWaiter waiter;
    call_soon([&] { lowlevel::wake(waiter); });
    EXPECT_EQ(Wake::completed, waiter.wait_until(clock.now() - 1s));
    HandWaiter alone;
    EXPECT_EQ(Wake::timed_out, alone.wait_until(clock.now() - 1s));
    EXPECT_EQ(Duration::zero(), elapsed());
  });
}

// ---- Giving way ---------------------------------------------------------------------------------

TEST_F(SuspendTest, YieldLetsEveryOtherReadyTaskRunOnce) {
  keep_order();
  std::string order;
  run([&] {
    for (const char letter : {'a', 'b', 'c'}) {
      create_task([&, letter] {
        for (int i = 0; i < 3; ++i) {
          order += letter;
          yield();
        }
      });
    }
    settle();
  });
  EXPECT_EQ("abcabcabc", order);
}

TEST_F(SuspendTest, SleepOfZeroOrLessYieldsOnce) {
  keep_order();
  run([&] {
    for (const Duration delay : {Duration{0}, Duration{-1}, Duration::min()}) {
      int turns = 0;
      create_task([&] { ++turns; });
      {
        const ExpectSuspends once;
        sleep(delay);
      }
      EXPECT_EQ(1, turns);
    }
    sleep_until(clock.now() - 1h);
    EXPECT_EQ(Duration::zero(), elapsed());
  });
}

TEST_F(SuspendTest, SleepTakesAnyDurationAndSeconds) {
  run([&] {
    sleep(2);
    EXPECT_EQ(2s, elapsed());
    sleep(0.25);
    EXPECT_EQ(2250ms, elapsed());
    sleep(std::chrono::duration<float>(0.5f));
    EXPECT_EQ(2750ms, elapsed());
    sleep_until(clock.now() + 1min);
    EXPECT_EQ(62750ms, elapsed());
    EXPECT_THROW(sleep(std::numeric_limits<double>::quiet_NaN()), std::invalid_argument);
    EXPECT_EQ(62750ms, elapsed());
  });
}

TEST_F(SuspendTest, SleepBeyondTheClocksRangeLastsUntilItIsCancelled) {
  run([&] {
    auto eternal = create_task([] { sleep(std::chrono::hours::max()); });
    auto infinite = create_task([] { sleep(std::numeric_limits<double>::infinity()); });
    sleep(1h);
    EXPECT_FALSE(eternal.is_done());
    EXPECT_FALSE(infinite.is_done());
    eternal.cancel();
    infinite.cancel();
    EXPECT_THROW(await(eternal), TaskCancelledException);
    EXPECT_THROW(await(infinite), TaskCancelledException);
  });
}

TEST_F(SuspendTest, SleepForeverLastsUntilItIsCancelledAndHasNoTimer) {
  run([&] {
    const std::size_t timers = loop().statistics().timers;
    auto task = create_task([] { sleep_forever(); });
    settle();
    EXPECT_EQ("a cancel", task.wait_reason());
    EXPECT_EQ(timers, loop().statistics().timers);
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_THROW(timeout(1h, [] { sleep_forever(); }), TimeoutException);
  });
  EXPECT_EQ(1h, elapsed());
}

TEST_F(SuspendTest, SleepForeverIsACheckpoint) {
  run([] {
    auto task = create_task([] {
      current_task().cancel();
      const ExpectNoSuspend none;
      sleep_forever();
    });
    EXPECT_THROW(await(task), TaskCancelledException);
  });
}

TEST_F(SuspendTest, EqualSleepsEndInTheOrderTheyBegan) {
  keep_order();
  std::vector<int> order;
  run([&] {
    for (int i = 0; i < 20; ++i) {
      create_task([&, i] {
        sleep(1s);
        order.push_back(i);
      });
    }
    sleep(2s);
  });
  ASSERT_EQ(20u, order.size());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(i, order[static_cast<std::size_t>(i)]);
}

// ---- Not suspending -----------------------------------------------------------------------------

TEST_F(SuspendTest, NoSuspendTurnsEverySuspendingCallIntoAnError) {
  run([] {
    auto finished = create_task([] {});
    await(finished);
    {
      const NoSuspend guard;
      EXPECT_THROW(sleep(1s), InvalidStateError);
      EXPECT_THROW(yield(), InvalidStateError);
      EXPECT_THROW(checkpoint(), InvalidStateError);
      EXPECT_THROW(await(finished), InvalidStateError) << "also where it would not have to wait";
      EXPECT_THROW(to_thread([] {}), InvalidStateError);
      EXPECT_THROW(wait_readable(0), InvalidStateError);
    }
    yield();
  });
}

TEST_F(SuspendTest, NoSuspendNestsAndNamesTheTask) {
  run([] {
    const auto message = [] {
      try {
        yield();
      } catch (const InvalidStateError& error) {
        return std::string{error.what()};
      }
      return std::string{};
    };
    const NoSuspend outer;
    { const NoSuspend inner; }
    EXPECT_NE(std::string::npos, message().find("task 'main' must not wait inside a NoSuspend"))
        << message();
  });
}

TEST_F(SuspendTest, NoSuspendConcernsOnlyItsTask) {
  run([] {
    int turns = 0;
    auto other = create_task([&] {
      for (; turns < 5; ++turns) yield();
    });
    auto guarded = create_task([] { const NoSuspend guard; });
    await(guarded);
    await(other);
    EXPECT_EQ(5, turns);
  });
}

TEST_F(SuspendTest, SleepForeverOutsideATaskIsAnError) {
  EXPECT_THROW(sleep_forever(), NotInTaskError);
}

TEST_F(SuspendTest, NoSuspendOutsideATaskIsAnError) { EXPECT_THROW(NoSuspend{}, NotInTaskError); }

TEST_F(SuspendTest, AwaitedFailureUnderNoSuspendLeavesTheGuardBalanced) {
  run([] {
    try {
      const NoSuspend guard;
      throw std::runtime_error("through the guard");
    } catch (const std::runtime_error&) {
    }
    yield();
  });
}

}  // namespace
}  // namespace asyncio::test

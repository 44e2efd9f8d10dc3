// wait_for(): in time, too late, and cancelled meanwhile.
#include <limits>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class WaitForTest : public LoopTest {
 protected:
  std::size_t timers() { return loop().statistics().timers; }
};

TEST_F(WaitForTest, GivesTheResultOfATaskOrACallableInTime) {
  run([&] {
    const std::size_t before = timers();
    auto task = create_task([] {
      sleep(1s);
      return 1;
    });
    EXPECT_EQ(1, wait_for(task, 2s));
    EXPECT_EQ(2, wait_for(
                     [] {
                       sleep(1s);
                       return 2;
                     },
                     2.0));
    EXPECT_EQ(3, *wait_for([] { return std::make_unique<int>(3); }, 1s));
    EXPECT_EQ(4, *wait_for(create_task([] { return std::make_unique<int>(4); }), 1s));
    int place = 0;
    EXPECT_EQ(&place, &wait_for([&]() -> int& { return place; }, 1s));
    wait_for([] { sleep(1s); }, 2s);
    EXPECT_EQ(3s, elapsed());
    EXPECT_EQ(before, timers());
  });
}

TEST_F(WaitForTest, GivesTheFailureOfATaskOrACallable) {
  run([] {
    auto task = create_task([] { throw std::out_of_range("own"); });
    EXPECT_THROW(wait_for(task, 1s), std::out_of_range);
    EXPECT_THROW(wait_for([] { throw std::out_of_range("own"); }, 1s), std::out_of_range);
    auto cancelled = create_task([] { sleep(1h); });
    settle();
    cancelled.cancel();
    EXPECT_THROW(wait_for(cancelled, 1s), TaskCancelledException);
    checkpoint();
  });
}

TEST_F(WaitForTest, CallableRunsAsAChildTask) {
  run([] {
    const AnyTask self = current_task();
    wait_for([&] { EXPECT_FALSE(self == current_task()); }, 1s);
  });
}

TEST_F(WaitForTest, TooLateItCancelsAndThrows) {
  run([&] {
    std::optional<CancelReason> reason;
    auto task = create_task(
        [&] {
          try {
            sleep(1h);
          } catch (const Cancelled& cancelled) {
            reason = cancelled.reason();
            throw;
          }
        },
        "slow");
    EXPECT_EQ("wait_for: task 'slow' did not end within 0.05 s",
              message_of<TimeoutException>([&] { wait_for(task, 50ms); }));
    EXPECT_EQ(CancelReason::deadline, reason);
    EXPECT_EQ(TaskState::cancelled, task.state());
    EXPECT_EQ(50ms, elapsed());
    checkpoint();
  });
}

TEST_F(WaitForTest, TooLateTheTasksOtherWaitersSeeItCancelled) {
  run([] {
    auto task = create_task([] { sleep(1h); });
    auto other = create_task([&] { EXPECT_THROW(await(task), TaskCancelledException); });
    EXPECT_THROW(wait_for(task, 1s), TimeoutException);
    await(other);
  });
}

TEST_F(WaitForTest, MisuseIsAnErrorThatLeavesTheTaskAlone) {
  EXPECT_THROW(wait_for([] { ADD_FAILURE() << "must not run"; }, 0), NotInTaskError);
  auto early = loop().create_task([] { return 1; });
  EXPECT_THROW(wait_for(early, 1s), NotInTaskError);
  run([&] {
    Task<void> self;
    self = create_task([&] { EXPECT_THROW(wait_for(self, 1s), DeadlockError); });
    await(self);
    EXPECT_THROW(wait_for(early, std::numeric_limits<double>::quiet_NaN()), std::invalid_argument);
    EXPECT_EQ(1, await(early));
  });
}

TEST_F(WaitForTest, EndlessTimeIsNoLimit) {
  run([&] {
    EXPECT_EQ(1, wait_for(
                     [] {
                       sleep(24h);
                       return 1;
                     },
                     std::numeric_limits<double>::infinity()));
    EXPECT_EQ(2, wait_for(
                     [] {
                       sleep(24h);
                       return 2;
                     },
                     Duration::max()));
  });
}

TEST_F(WaitForTest, C45_FinishedTaskIsNeverLate) {
  run([] {
    auto task = create_task([] { return 1; });
    settle();
    const ExpectNoSuspend at_once;
    EXPECT_EQ(1, wait_for(task, 0));
    EXPECT_EQ(1, wait_for(task, -1s));
  });
}

TEST_F(WaitForTest, C45_CallableWithoutTimeNeverRuns) {
  run([] {
    EXPECT_THROW(wait_for([] { ADD_FAILURE() << "must not run"; }, 0), TimeoutException);
    EXPECT_THROW(wait_for([] { ADD_FAILURE() << "must not run"; }, -1s), TimeoutException);
  });
}

TEST_F(WaitForTest, C45_UnfinishedTaskWithoutTimeIsCancelled) {
  run([&] {
    auto task = create_task([] { sleep(1h); });
    EXPECT_THROW(wait_for(task, 0), TimeoutException);
    EXPECT_EQ(TaskState::cancelled, task.state());
    EXPECT_EQ(0s, elapsed());
  });
}

TEST_F(WaitForTest, C46_EndedInTheTurnOfItsDeadlineTheResultWins) {
  keep_order();
  run([&] {
    const SocketPair pair;
    auto reader = create_task([&] {
      wait_readable(pair.a());
      return pair.read(0);
    });
    auto waiter = create_task([&] { return wait_for(reader, 1s); });
    settle();
    clock.advance(2s);
    pair.write(1, "x");
    EXPECT_EQ("x", await(waiter));
    EXPECT_EQ(TaskState::completed, reader.state());
  });
}

TEST_F(WaitForTest, C47_TimedOutItWaitsForTheCleanup) {
  run([&] {
    bool cleaned = false;
    EXPECT_THROW(wait_for(
                     [&] {
                       try {
                         sleep(1h);
                       } catch (const Cancelled&) {
                         shield([] { sleep(50ms); });
                         cleaned = true;
                         throw;
                       }
                     },
                     1s),
                 TimeoutException);
    EXPECT_TRUE(cleaned);
    EXPECT_EQ(1050ms, elapsed());
  });
}

TEST_F(WaitForTest, C48_ValueThatComesAllTheSameIsReturned) {
  run([&] {
    EXPECT_EQ(7, wait_for(
                     [] {
                       try {
                         sleep(1h);
                       } catch (const Cancelled&) {
                       }
                       return 7;
                     },
                     1s));
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(WaitForTest, C48_FailureOfTheCleanupIsThrown) {
  run([] {
    EXPECT_THROW(wait_for(
                     [] {
                       try {
                         sleep(1h);
                       } catch (const Cancelled&) {
                         throw std::out_of_range("cleanup");
                       }
                     },
                     1s),
                 std::out_of_range);
  });
}

// ---- The caller is cancelled --------------------------------------------------------------------

TEST_F(WaitForTest, C49_CallerCancelledTheTaskIsCancelledAndJoined) {
  run([&] {
    const std::size_t before = timers();
    bool cleaned = false;
    bool timed_out = false;
    std::optional<CancelReason> reason;
    auto caller = create_task([&] {
      try {
        wait_for(
            [&] {
              try {
                sleep(1h);
              } catch (const Cancelled& cancelled) {
                reason = cancelled.reason();
                shield([] { sleep(1s); });
                cleaned = true;
                throw;
              }
            },
            30min);
      } catch (const TimeoutException&) {
        timed_out = true;
      }
    });
    settle();
    caller.cancel();
    EXPECT_THROW(await(caller), TaskCancelledException);
    EXPECT_TRUE(cleaned);
    EXPECT_FALSE(timed_out);
    EXPECT_EQ(CancelReason::abandoned, reason);
    EXPECT_EQ(1s, elapsed());
    EXPECT_EQ(before, timers());
  });
}

TEST_F(WaitForTest, C49_TimeoutThatExpiresDuringTheJoinChangesNothing) {
  run([&] {
    auto caller = create_task([] {
      wait_for(
          [] {
            try {
              sleep(1h);
            } catch (const Cancelled&) {
              shield([] { sleep(5s); });
              throw;
            }
          },
          2s);
    });
    sleep(1s);
    caller.cancel();
    EXPECT_THROW(await(caller), TaskCancelledException);
    EXPECT_EQ(6s, elapsed());
  });
}

TEST_F(WaitForTest, C49_CallerCancelledDuringTheJoinAfterATimeoutUnwinds) {
  run([&] {
    bool timed_out = false;
    auto caller = create_task([&] {
      try {
        wait_for(
            [] {
              try {
                sleep(1h);
              } catch (const Cancelled&) {
                shield([] { sleep(5s); });
                throw;
              }
            },
            1s);
      } catch (const TimeoutException&) {
        timed_out = true;
      }
    });
    sleep(2s);
    caller.cancel();
    EXPECT_THROW(await(caller), TaskCancelledException);
    EXPECT_FALSE(timed_out);
    EXPECT_EQ(6s, elapsed());
  });
}

TEST_F(WaitForTest, C49_CallerCancelledBeforeTheCallTheCallableNeverRuns) {
  run([] {
    auto caller = create_task([] {
      current_task().cancel();
      wait_for([] { ADD_FAILURE() << "must not run"; }, 1s);
    });
    EXPECT_THROW(await(caller), TaskCancelledException);
  });
}

}  // namespace
}  // namespace asyncio::test

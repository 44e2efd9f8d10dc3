// first_success(): the first that succeeds, and what becomes of the others.
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/timed_tasks.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class FirstSuccessTest : public LoopTest {};

TEST_F(FirstSuccessTest, GivesTheFirstResultAndCancelsTheRest) {
  run([&] {
    auto failing = failure_after(1s);
    auto winner = value_after(2s, 2);
    auto slow = value_after(1h, 3);
    EXPECT_EQ(2, first_success(failing, winner, slow));
    EXPECT_EQ(2s, elapsed());
    EXPECT_EQ(TaskState::cancelled, slow.state());
    EXPECT_EQ(2, winner.result()) << "a copy";
    try {
      slow.result();
    } catch (const TaskCancelledException& cancelled) {
      EXPECT_EQ(CancelReason::abandoned, cancelled.reason());
      EXPECT_EQ("another one succeeded first", cancelled.text());
    }
  });
  EXPECT_TRUE(reports.empty()) << "failures on the way are dropped";
}

TEST_F(FirstSuccessTest, JoinsTheRestBeforeItReturns) {
  run([&] {
    auto cleanup = create_task([]() -> int {
      try {
        sleep_forever();
      } catch (const Cancelled&) {
        shield([] { sleep(1s); });
        throw;
      }
    });
    EXPECT_EQ(1, first_success(std::vector{cleanup, value_after(1s, 1)}));
    EXPECT_EQ(2s, elapsed());
    EXPECT_TRUE(cleanup.is_done());
  });
}

TEST_F(FirstSuccessTest, AResultThatComesAfterTheFirstIsDropped) {
  run([] {
    auto stubborn = create_task([] {
      try {
        sleep_forever();
      } catch (const Cancelled&) {
      }
      return 2;
    });
    EXPECT_EQ(1, first_success(stubborn, value_after(1s, 1)));
    EXPECT_EQ(2, stubborn.result());
  });
}

TEST_F(FirstSuccessTest, OfThoseThatHaveEndedTheFirstInTheCallIsTaken) {
  run([] {
    auto bad = failure_after(0s);
    auto one = value_after(0s, 1);
    auto two = value_after(0s, 2);
    sleep(1s);
    EXPECT_EQ(1, first_success(bad, one, two));
  });
}

TEST_F(FirstSuccessTest, IfNoneSucceedsEveryFailureIsThrown) {
  run([] {
    auto cancelled = create_task([]() -> int { sleep_forever(); });
    settle();
    cancelled.cancel();
    try {
      first_success(failure_after(2s, "slow"), failure_after(1s, "quick"), cancelled);
      ADD_FAILURE() << "must throw";
    } catch (const GatherException& error) {
      EXPECT_EQ(2u, error.failed_count());
      EXPECT_EQ(1u, error.cancelled_count());
      EXPECT_EQ("slow", message_of(error.exception(0)));
      EXPECT_EQ("quick", message_of(error.exception(1)));
      EXPECT_TRUE(contains(error.what(), "first_success() failed: 2 of 3 task(s)")) << error.what();
    }
  });
}

TEST_F(FirstSuccessTest, EveryKindOfResultWorks) {
  run([] {
    int place = 0;
    EXPECT_EQ(1, *first_success(create_task([] { return std::make_unique<int>(1); })));
    EXPECT_EQ(&place, &first_success(create_task([&]() -> int& { return place; })));
    first_success(create_task([] {}), create_task([] { sleep_forever(); }));
    const AnyTask any = create_task([] { return 1; });
    first_success(any);
    auto future = create_future<int>();
    auto never = create_future<int>();
    call_soon([future] { future.set_result(3); });
    EXPECT_EQ(3, first_success(never, future));
    EXPECT_FALSE(never.is_done()) << "a future stays as it is";
  });
}

TEST_F(FirstSuccessTest, C22_CallerCancelledTheyAreCancelledAndJoined) {
  run([&] {
    auto task = create_task([] {
      try {
        sleep_forever();
      } catch (const Cancelled& cancelled) {
        EXPECT_EQ("its first_success was cancelled", cancelled.text());
        shield([] { sleep(1s); });
        throw;
      }
    });
    auto caller = create_task([=] { first_success(task); });
    settle();
    caller.cancel();
    EXPECT_THROW(await(caller), TaskCancelledException);
    EXPECT_EQ(1s, elapsed());
    EXPECT_EQ(TaskState::cancelled, task.state());
  });
}

TEST_F(FirstSuccessTest, MisuseIsAnError) {
  run([] {
    EXPECT_THROW(first_success(std::vector<Task<int>>{}), std::invalid_argument);
    Task<int> self;
    self = create_task([&] {
      EXPECT_THROW(first_success(self), DeadlockError);
      return 1;
    });
    await(self);
    bool refused = false;
    call_soon([&] {
      try {
        first_success(self);
      } catch (const NotInTaskError&) {
        refused = true;
      }
    });
    settle();
    EXPECT_TRUE(refused);
  });
}

}  // namespace
}  // namespace asyncio::test

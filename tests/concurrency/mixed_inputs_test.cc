// Tasks of different types and futures as the inputs of one call.
#include <any>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/timed_tasks.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class MixedInputsTest : public LoopTest {};

template <class T>
Future<T> future_after(Duration delay, T value) {
  auto future = create_future<T>();
  call_later(delay, [future, value] { future.set_result(value); });
  return future;
}

Future<int> failing_future_after(Duration delay, const char* message = "future") {
  auto future = create_future<int>();
  call_later(delay, [future, message] { future.set_exception(std::runtime_error(message)); });
  return future;
}

using Places = std::vector<std::size_t>;

// ---- wait ---------------------------------------------------------------------------------------

TEST_F(MixedInputsTest, WaitTellsThePlacesOfInputsOfDifferentTypes) {
  run([&] {
    auto number = value_after(3s, 1);
    auto nothing = create_task([] { sleep(1s); });
    auto text = future_after<std::string>(2s, "text");
    auto [done, pending] = wait<ReturnWhen::first_completed>(number, nothing, text);
    EXPECT_EQ(Places{1}, done);
    EXPECT_EQ((Places{0, 2}), pending);
    EXPECT_EQ(1s, elapsed());
    EXPECT_EQ((Places{0, 1, 2}), wait(number, nothing, text).done);
    EXPECT_EQ(3s, elapsed());
    EXPECT_TRUE(wait().done.empty());
  });
}

TEST_F(MixedInputsTest, WaitTakesFuturesAndUntypedTasks) {
  run([&] {
    std::vector futures{future_after(2s, 2), future_after(1s, 1)};
    auto first = wait(futures, ReturnWhen::first_completed);
    ASSERT_EQ(1u, first.done.size());
    EXPECT_EQ(1, first.done[0].result());
    EXPECT_EQ(1u, first.pending.size());
    EXPECT_EQ(2u, wait(futures).done.size());

    std::vector<AnyTask> tasks{value_after(1s, 1), create_task([] { sleep(2s); })};
    EXPECT_EQ(tasks[0], wait(tasks, ReturnWhen::first_completed).done.at(0));
    EXPECT_EQ(2u, wait(tasks).done.size());
  });
}

TEST_F(MixedInputsTest, AFailureOfAFutureIsAFirstException) {
  run([&] {
    auto slow = value_after(3s, 1);
    auto cancelled = create_future<int>();
    call_later(1s, [cancelled] { cancelled.cancel(); });
    auto failing = failing_future_after(2s);
    auto places = wait<ReturnWhen::first_exception>(slow, cancelled, failing);
    EXPECT_EQ((Places{1, 2}), places.done) << "a cancelled one did not fail";
    EXPECT_EQ(2s, elapsed());
    EXPECT_THROW(failing.result(), std::runtime_error);
  });
}

TEST_F(MixedInputsTest, WaitAnyTellsWhichWasFirstHoweverItEnded) {
  run([&] {
    auto slow = value_after(2s, 1);
    auto failing = failing_future_after(1s);
    auto never = create_future<void>();
    EXPECT_EQ(1u, wait_any(slow, failing, never));
    EXPECT_EQ(1s, elapsed());
    EXPECT_THROW(failing.result(), std::runtime_error);
    EXPECT_EQ(1u, wait_any(std::vector<AnyTask>{create_task([] { sleep_forever(); }), slow}));
    EXPECT_EQ(1, slow.result());
  });
}

TEST_F(MixedInputsTest, WaitAnyOfThoseThatHaveEndedIsTheFirstInTheCall) {
  run([] {
    auto pending = create_future<void>();
    auto one = create_future<int>();
    auto two = create_future<int>();
    two.set_result(2);
    one.set_result(1);
    const ExpectNoSuspend none;
    EXPECT_EQ(1u, wait_any(pending, one, two));
  });
}

TEST_F(MixedInputsTest, WaitAnyOfThoseThatEndInOneTurnIsTheFirstToEnd) {
  run([] {
    auto one = create_future<int>();
    auto two = create_future<int>();
    create_task([=] {
      two.set_result(2);
      one.set_result(1);
    });
    EXPECT_EQ(1u, wait_any(one, two));
  });
}

TEST_F(MixedInputsTest, WaitAnyOfNothingIsAnError) {
  run([] { EXPECT_THROW(wait_any(std::vector<Task<int>>{}), std::invalid_argument); });
}

TEST_F(MixedInputsTest, C15_ACancelledCallerLeavesTasksAndFuturesAlone) {
  run([] {
    auto future = create_future<int>();
    auto task = create_task([=] { return await(future); });
    auto waiting = create_task([=] { wait(future, task); });
    settle();
    EXPECT_EQ("tasks", waiting.wait_reason());
    waiting.cancel();
    EXPECT_THROW(await(waiting), TaskCancelledException);
    EXPECT_FALSE(future.is_done());
    future.set_result(1);
    EXPECT_EQ(1, await(task));
  });
}

TEST_F(MixedInputsTest, R11_AFutureSetInTheTurnOfTheCancelLeavesTheCancelPending) {
  run([] {
    auto future = create_future<int>();
    std::optional<std::size_t> place;
    auto waiting = create_task([&] {
      place = wait_any(future);
      sleep(1s);
    });
    settle();
    future.set_result(1);
    waiting.cancel();
    EXPECT_THROW(await(waiting), TaskCancelledException);
    EXPECT_EQ(0u, place);
  });
}

// ---- gather -------------------------------------------------------------------------------------

TEST_F(MixedInputsTest, GatherGivesTheResultsOfTasksAndFutures) {
  run([&] {
    int place = 0;
    auto reference = create_task([&]() -> int& { return place; });
    auto text = future_after<std::string>(2s, "text");
    auto moved = create_future<std::unique_ptr<int>>();
    moved.set_result(std::make_unique<int>(3));
    auto nothing = create_future<void>();
    nothing.set_result();
    const AnyTask any = value_after(1s, 4);
    auto [ref, string, pointer, none, untyped] = gather(reference, text, moved, nothing, any);
    EXPECT_EQ(&place, &ref.get());
    EXPECT_EQ("text", string);
    EXPECT_EQ("text", text.result()) << "a copy";
    EXPECT_EQ(3, *pointer);
    static_assert(std::is_same_v<std::monostate, decltype(none)>);
    static_assert(std::is_same_v<std::monostate, decltype(untyped)>);
    EXPECT_EQ(2s, elapsed());
    EXPECT_EQ((std::vector{1, 2}), gather(std::vector{future_after(2s, 1), future_after(1s, 2)}));
    EXPECT_EQ(1u, gather(std::vector<AnyTask>{any}).size());
    EXPECT_TRUE(gather(std::vector<Future<int>>{}).empty());
  });
}

TEST_F(MixedInputsTest, S18_AFutureThatFailsCancelsTheTasks) {
  run([&] {
    auto task = value_after(1h, 1);
    auto done = create_future<int>();
    done.set_result(2);
    auto failing = failing_future_after(1s);
    try {
      gather(task, done, failing);
      ADD_FAILURE() << "must throw";
    } catch (const GatherException& error) {
      EXPECT_EQ(1u, error.failed_count());
      EXPECT_EQ(1u, error.cancelled_count());
      EXPECT_EQ(1u, error.success_count());
      EXPECT_EQ(2, std::any_cast<int>(error.results().at(1)));
      EXPECT_EQ("future", message_of(error.first_exception()));
      EXPECT_TRUE(error.was_cancelled(0));
    }
    EXPECT_EQ(TaskState::cancelled, task.state());
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(MixedInputsTest, AFutureIsNotWaitedForOnceATaskHasFailedAndStaysAsItIs) {
  run([&] {
    auto future = create_future<int>();
    auto failing = failure_after(1s);
    try {
      gather(future, failing);
      ADD_FAILURE() << "must throw";
    } catch (const GatherException& error) {
      EXPECT_EQ(1u, error.failed_count());
      EXPECT_TRUE(error.has_failed(1));
      EXPECT_TRUE(error.was_cancelled(0));
      EXPECT_TRUE(contains(message_of(error.exception(0)), "future")) << error.detailed_report();
    }
    EXPECT_FALSE(future.is_done());
    future.set_result(1);
    EXPECT_EQ(1, await(future));
  });
}

TEST_F(MixedInputsTest, S22_AFutureThatSomebodyCancelsCountsAsCancelled) {
  run([] {
    auto future = create_future<int>();
    call_soon([future] { future.cancel("enough"); });
    try {
      gather(future);
      ADD_FAILURE() << "must throw";
    } catch (const GatherException& error) {
      EXPECT_EQ(0u, error.failed_count());
      EXPECT_EQ(1u, error.cancelled_count());
      EXPECT_TRUE(contains(message_of(error.exception(0)), "enough"));
    }
  });
}

TEST_F(MixedInputsTest, S24_PartialResultsLeaveOutFuturesThatFailed) {
  run([&] {
    auto [good, bad, task] = gather<GatherStrategy::return_partial>(
        future_after(1s, 1), failing_future_after(2s), value_after(3s, 3));
    EXPECT_EQ(1, good);
    EXPECT_EQ(std::nullopt, bad);
    EXPECT_EQ(3, task);
  });
  EXPECT_EQ(1u, reports.size()) << "nobody has looked at the failure";
  reports.clear();
}

TEST_F(MixedInputsTest, S20_TheSameFutureTwiceCountsOnce) {
  run([] {
    auto failing = failing_future_after(1s);
    try {
      gather<GatherStrategy::wait_all>(failing, failing);
      ADD_FAILURE() << "must throw";
    } catch (const GatherException& error) {
      EXPECT_EQ(1u, error.failed_count());
      EXPECT_EQ(2u, error.exceptions().size());
    }
  });
}

TEST_F(MixedInputsTest, C22_CallerCancelledTheTasksAreJoinedAndTheFuturesLeft) {
  run([&] {
    auto future = create_future<int>();
    auto task = create_task([] {
      try {
        sleep_forever();
      } catch (const Cancelled&) {
        shield([] { sleep(1s); });
        throw;
      }
    });
    auto waiting = create_task([=] { gather(future, task); });
    settle();
    waiting.cancel();
    EXPECT_THROW(await(waiting), TaskCancelledException);
    EXPECT_EQ(1s, elapsed());
    EXPECT_EQ(TaskState::cancelled, task.state());
    EXPECT_FALSE(future.is_done());
  });
}

TEST_F(MixedInputsTest, C22_CallerCancelledWithFuturesAloneItUnwindsAtOnce) {
  run([] {
    auto future = create_future<int>();
    auto waiting = create_task([=] { gather(future); });
    settle();
    waiting.cancel();
    EXPECT_THROW(await(waiting), TaskCancelledException);
    future.set_result(1);
  });
}

TEST_F(MixedInputsTest, S26_OfItselfAmongFuturesIsADeadlockError) {
  run([] {
    auto future = create_future<int>();
    Task<void> self;
    self = create_task([&] {
      EXPECT_THROW(gather(future, self), DeadlockError);
      EXPECT_THROW(wait(future, self), DeadlockError);
    });
    await(self);
  });
}

TEST_F(MixedInputsTest, AFutureOfAnotherLoopIsRefusedByEveryCall) {
  std::optional<Future<int>> foreign;
  EventLoop other{make_backend("auto")};
  other.call_soon([&] { foreign.emplace(); });
  other.run();
  run([&] {
    EXPECT_THROW(wait(*foreign), InvalidStateError);
    EXPECT_THROW(wait_any(*foreign), InvalidStateError);
    EXPECT_THROW(gather(*foreign), InvalidStateError);
    EXPECT_THROW(wait_for(*foreign, 1s), InvalidStateError);
  });
}

// ---- wait_for -----------------------------------------------------------------------------------

TEST_F(MixedInputsTest, WaitForGivesTheResultOfAFutureInTime) {
  run([&] {
    EXPECT_EQ(1, wait_for(future_after(1s, 1), 2s));
    EXPECT_EQ(1s, elapsed());
    EXPECT_THROW(wait_for(failing_future_after(1s), 2s), std::runtime_error);
    auto owned = create_future<std::unique_ptr<int>>();
    owned.set_result(std::make_unique<int>(2));
    EXPECT_EQ(2, *wait_for(std::move(owned), 0s)) << "one that is done is never late";
    const AnyTask any = value_after(1s, 1);
    wait_for(any, 2s);
    EXPECT_TRUE(any.is_done());
  });
}

TEST_F(MixedInputsTest, TooLateWaitForLeavesTheFutureAsItIs) {
  run([&] {
    auto future = create_future<int>();
    const std::string message = message_of<TimeoutException>([&] { wait_for(future, 1500ms); });
    EXPECT_TRUE(contains(message, "wait_for: the future was not set within 1.5 s")) << message;
    EXPECT_EQ(1500ms, elapsed());
    EXPECT_FALSE(future.is_done());
    EXPECT_THROW(wait_for(future, 0s), TimeoutException);
    future.set_result(1);
    EXPECT_EQ(1, wait_for(future, 0s));
  });
}

TEST_F(MixedInputsTest, C46_AFutureSetInTheTurnOfTheDeadlineIsInTime) {
  run([&] {
    auto future = create_future<int>();
    auto waiting = create_task([=] { return wait_for(future, 1s); });
    settle();
    clock.advance(2s);
    future.set_result(1);
    EXPECT_EQ(1, await(waiting));
  });
}

}  // namespace
}  // namespace asyncio::test

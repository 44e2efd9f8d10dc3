// wait() and as_completed(): looking on without cancelling.
#include <optional>
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

class WaitTest : public LoopTest {};

using Tasks = std::vector<Task<int>>;

// ---- wait ---------------------------------------------------------------------------------------

TEST_F(WaitTest, AllCompletedIsTheDefaultAndKeepsInputOrder) {
  run([&] {
    const Tasks tasks{value_after(3s, 0), value_after(1s, 1), failure_after(2s)};
    const auto [done, pending] = wait(tasks);
    EXPECT_EQ(tasks, done);
    EXPECT_TRUE(pending.empty());
    EXPECT_EQ(3s, elapsed());
    EXPECT_THROW(done[2].result(), std::runtime_error) << "a failure is for the caller to look at";
  });
}

TEST_F(WaitTest, FirstCompletedReturnsWithTheFirstAndLeavesTheRestRunning) {
  run([&] {
    const Tasks tasks{value_after(3s, 0), value_after(1s, 1), value_after(2s, 2)};
    const auto [done, pending] = wait(tasks, ReturnWhen::first_completed);
    EXPECT_EQ(Tasks{tasks[1]}, done);
    EXPECT_EQ((Tasks{tasks[0], tasks[2]}), pending);
    EXPECT_EQ(1s, elapsed());
    EXPECT_EQ(0, await(tasks[0]));
    EXPECT_EQ(2, await(tasks[2]));
  });
}

TEST_F(WaitTest, FirstCompletedCountsFailedAndCancelledTasksToo) {
  run([&] {
    auto failing = failure_after(1s);
    auto slow = value_after(5s, 1);
    EXPECT_EQ(Tasks{failing}, wait(Tasks{slow, failing}, ReturnWhen::first_completed).done);
    EXPECT_TRUE(failing.has_exception());
    EXPECT_THROW(await(failing), std::runtime_error);
    auto cancelled = value_after(1h, 2);
    auto killer = create_task([&] { cancelled.cancel(); });
    EXPECT_EQ(Tasks{cancelled}, wait(Tasks{slow, cancelled}, ReturnWhen::first_completed).done);
    EXPECT_EQ(1s, elapsed());
    EXPECT_EQ(1, await(slow));
  });
}

TEST_F(WaitTest, FirstExceptionWaitsPastSuccessesAndCancellations) {
  run([&] {
    auto cancelled = value_after(1h, 2);
    const Tasks tasks{value_after(1s, 0), failure_after(2s), value_after(3s, 2), cancelled};
    auto killer = create_task([&] { cancelled.cancel(); });
    const auto [done, pending] = wait(tasks, ReturnWhen::first_exception);
    EXPECT_EQ((Tasks{tasks[0], tasks[1], cancelled}), done);
    EXPECT_EQ(Tasks{tasks[2]}, pending);
    EXPECT_EQ(2s, elapsed());
    EXPECT_THROW(await(tasks[1]), std::runtime_error);
    await(tasks[2]);
  });
}

TEST_F(WaitTest, FirstExceptionWithoutOneWaitsForAll) {
  run([&] {
    const Tasks tasks{value_after(1s, 0), value_after(2s, 1)};
    const auto [done, pending] = wait(tasks, ReturnWhen::first_exception);
    EXPECT_EQ(tasks, done);
    EXPECT_TRUE(pending.empty());
    EXPECT_EQ(2s, elapsed());
  });
}

TEST_F(WaitTest, SatisfiedAlreadyItReturnsAtOnce) {
  run([] {
    auto good = value_after(0s, 1);
    auto bad = failure_after(0s);
    auto slow = value_after(1s, 2);
    settle();
    {
      const ExpectNoSuspend at_once;
      EXPECT_EQ(1u, wait(Tasks{slow, good}, ReturnWhen::first_completed).done.size());
      EXPECT_EQ(2u, wait(Tasks{slow, good, bad}, ReturnWhen::first_exception).done.size());
      EXPECT_EQ(2u, wait(Tasks{good, bad}).done.size());
    }
    EXPECT_TRUE(bad.exception() != nullptr);
    EXPECT_EQ(2, await(slow));
  });
}

TEST_F(WaitTest, SatisfiedAlreadyItIsStillACheckpoint) {
  run([] {
    auto done = value_after(0s, 1);
    settle();
    auto caller = create_task([&] {
      current_task().cancel();
      wait(Tasks{done});
    });
    EXPECT_THROW(await(caller), TaskCancelledException);
  });
}

TEST_F(WaitTest, TheSameTaskTwiceIsListedTwice) {
  run([&] {
    auto task = value_after(1s, 1);
    const auto [done, pending] = wait(Tasks{task, task});
    EXPECT_EQ((Tasks{task, task}), done);
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(WaitTest, CallerCancelledTheTasksGoOn) {
  run([&] {
    const Tasks tasks{value_after(1s, 0), value_after(2s, 1)};
    for (const ReturnWhen when :
         {ReturnWhen::first_completed, ReturnWhen::first_exception, ReturnWhen::all_completed}) {
      auto caller = create_task([&] { wait(tasks, when); });
      settle();
      caller.cancel();
      EXPECT_THROW(await(caller), TaskCancelledException);
    }
    EXPECT_EQ(0s, elapsed());
    EXPECT_EQ(0, await(tasks[0]));
    EXPECT_EQ(1, await(tasks[1]));
  });
}

TEST_F(WaitTest, UnderATimeoutItLeavesTheTasksRunning) {
  run([&] {
    auto slow = value_after(2s, 1);
    EXPECT_THROW(timeout(1s, [&] { wait(Tasks{slow}); }), TimeoutException);
    EXPECT_FALSE(slow.is_done());
    EXPECT_EQ(1, await(slow));
    EXPECT_EQ(2s, elapsed());
  });
}

TEST_F(WaitTest, OfNothingItReturnsAtOnceAlsoOutsideATask) {
  for (const auto when :
       {ReturnWhen::first_completed, ReturnWhen::first_exception, ReturnWhen::all_completed}) {
    const auto [done, pending] = wait(Tasks{}, when);
    EXPECT_TRUE(done.empty());
    EXPECT_TRUE(pending.empty());
  }
  run([] {
    const ExpectNoSuspend none;
    EXPECT_TRUE(wait(Tasks{}).done.empty());
  });
}

TEST_F(WaitTest, MisuseIsAnError) {
  auto early = loop().create_task([] { return 1; });
  EXPECT_THROW(wait(Tasks{early}), NotInTaskError);
  run([&] {
    Task<int> self;
    self = create_task([&] {
      EXPECT_THROW(wait(Tasks{early, self}), DeadlockError);
      return 1;
    });
    await(self);
    EXPECT_EQ(1, await(early));
  });
}

// ---- as_completed -------------------------------------------------------------------------------

TEST_F(WaitTest, AsCompletedGivesTheTasksAsTheyEnd) {
  run([&] {
    std::vector<int> order;
    std::vector<Duration> times;
    for (const Task<int>& task :
         as_completed(Tasks{value_after(3s, 3), value_after(1s, 1), value_after(2s, 2)})) {
      EXPECT_TRUE(task.is_done());
      order.push_back(await(task));
      times.push_back(elapsed());
    }
    EXPECT_EQ((std::vector{1, 2, 3}), order);
    EXPECT_EQ((std::vector<Duration>{1s, 2s, 3s}), times);
  });
}

TEST_F(WaitTest, AsCompletedGivesFinishedFailedAndCancelledTasksToo) {
  run([&] {
    auto finished = value_after(0s, 0);
    settle();
    auto cancelled = value_after(1h, 1);
    cancelled.cancel();
    const Tasks tasks{failure_after(1s), cancelled, finished};
    Tasks order;
    for (const Task<int>& task : as_completed(tasks)) order.push_back(task);
    EXPECT_EQ((Tasks{finished, cancelled, tasks[0]}), order);
    EXPECT_THROW(await(order[2]), std::runtime_error);
  });
}

TEST_F(WaitTest, AsCompletedGivesHandlesThatTheLoopMayUseUp) {
  run([] {
    std::vector<Task<std::unique_ptr<int>>> tasks;
    for (const int value : {2, 1}) {
      tasks.push_back(create_task([value] {
        sleep(std::chrono::seconds{value});
        return std::make_unique<int>(value);
      }));
    }
    std::vector<int> order;
    for (auto& task : as_completed(tasks)) {
      EXPECT_TRUE(task.is_done());
      order.push_back(*await(std::move(task)));
    }
    EXPECT_EQ((std::vector{1, 2}), order);
    EXPECT_TRUE(tasks[0].valid()) << "the caller's own handles are untouched";
  });
}

TEST_F(WaitTest, AsCompletedOfNothingIsAnEmptyRange) {
  run([] {
    for (const Task<int>& task : as_completed(Tasks{})) {
      ADD_FAILURE() << "no task, but " << task.name();
    }
  });
}

TEST_F(WaitTest, AsCompletedMissesNothingThatEndsBetweenTwoSteps) {
  run([] {
    std::vector<int> order;
    for (const Task<int>& task :
         as_completed(Tasks{value_after(1s, 1), value_after(2s, 2), value_after(3s, 3)})) {
      order.push_back(await(task));
      if (order.size() == 1) sleep(10s);
    }
    EXPECT_EQ((std::vector{1, 2, 3}), order);
  });
}

TEST_F(WaitTest, AsCompletedGivenUpHalfWayLeavesTheTasksRunning) {
  run([&] {
    const Tasks tasks{value_after(1s, 1), value_after(2s, 2)};
    for (const Task<int>& task : as_completed(tasks)) {
      EXPECT_EQ(tasks[0], task);
      break;
    }
    EXPECT_EQ(2, await(tasks[1]));
    EXPECT_EQ(2s, elapsed());
  });
}

TEST_F(WaitTest, AsCompletedOfACancelledCallerLeavesTheTasksRunning) {
  run([] {
    const Tasks tasks{value_after(1s, 1)};
    auto caller = create_task([&] {
      for (const Task<int>& task : as_completed(tasks)) ADD_FAILURE() << task.name();
    });
    settle();
    caller.cancel();
    EXPECT_THROW(await(caller), TaskCancelledException);
    EXPECT_EQ(1, await(tasks[0]));
  });
}

TEST_F(WaitTest, ATaskOfAnotherLoopIsRefusedByEveryCall) {
  EventLoop other{make_backend("auto")};
  const auto foreign = other.create_task([] { return 1; });
  run([&] {
    EXPECT_THROW(wait(std::vector{foreign}), InvalidStateError);
    EXPECT_THROW(as_completed(std::vector{foreign}), InvalidStateError);
    EXPECT_THROW(gather(foreign), InvalidStateError);
    EXPECT_THROW(wait_for(foreign, 1s), InvalidStateError);
    EXPECT_THROW(await(foreign), InvalidStateError);
  });
  other.run();
  run([&] {  // one that has ended can be asked anywhere
    EXPECT_EQ(1u, wait(std::vector{foreign}).done.size());
    for (const Task<int>& task : as_completed(std::vector{foreign})) EXPECT_EQ(1, await(task));
    EXPECT_EQ(1, wait_for(foreign, 1s));
  });
}

TEST_F(WaitTest, AsCompletedRefusesToWaitForItself) {
  run([&] {
    std::optional<Task<void>> self;
    self = create_task([&] { EXPECT_THROW(as_completed(std::vector{*self}), DeadlockError); });
    await(*self);
  });
}

TEST_F(WaitTest, AMemberOfAsCompletedCannotAwaitWhoGoesThroughThem) {
  run([&] {
    std::optional<Task<void>> parent;
    parent = create_task([&] {
      auto member = create_task([&] {
        yield();
        const std::string said = message_of<DeadlockError>([&] { await(*parent); });
        EXPECT_TRUE(contains(said, "cycle")) << said;
      });
      for (const Task<void>& task : as_completed(std::vector{member})) await(task);
    });
    await(*parent);
  });
}

}  // namespace
}  // namespace asyncio::test

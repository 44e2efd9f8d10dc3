// Done callbacks: once each, from the loop, in order.
#include <memory>
#include <string>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class DoneCallbacksTest : public LoopTest {};

TEST_F(DoneCallbacksTest, S48_AddedBeforeTheEndEachRunsOnceInOrder) {
  std::vector<int> order;
  run([&] {
    auto task = create_task([] { sleep(1s); });
    for (int i = 0; i < 10; ++i) task.add_done_callback([&, i] { order.push_back(i); });
    settle();
    EXPECT_TRUE(order.empty());
    await(task);
    settle();
    EXPECT_EQ(10u, order.size());
    sleep(10s);
  });
  EXPECT_EQ((std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}), order);
}

TEST_F(DoneCallbacksTest, S48_RunsFromTheLoopAfterTheTasksWaiters) {
  keep_order();
  run([&] {
    std::string order;
    auto task = create_task([&] {
      sleep(1s);
      order += "body;";
    });
    task.add_done_callback([&] {
      order += "callback;";
      EXPECT_EQ(nullptr, detail::current_task_control()) << "a callback runs in no task";
      EXPECT_EQ(&loop(), &get_event_loop());
    });
    create_task([&] {
      await(task);
      order += "waiter;";
    });
    sleep(2s);
    EXPECT_EQ("body;waiter;callback;", order);
  });
}

TEST_F(DoneCallbacksTest, S48_AddedAfterTheEndRunsInTheNextTurn) {
  run([] {
    auto task = create_task([] {});
    await(task);
    int calls = 0;
    task.add_done_callback([&] { ++calls; });
    EXPECT_EQ(0, calls) << "never inside add_done_callback";
    settle();
    EXPECT_EQ(1, calls);
  });
}

TEST_F(DoneCallbacksTest, S48_ThrowingOneReachesTheHandlerNotTheTaskNorTheOthers) {
  run([&] {
    auto task = create_task([] { return 5; });
    int calls = 0;
    task.add_done_callback([&] { ++calls; });
    task.add_done_callback([] { throw std::runtime_error("callback's own"); });
    task.add_done_callback([&] { ++calls; });
    EXPECT_EQ(5, await(task));
    settle();
    EXPECT_EQ(2, calls);
    EXPECT_EQ(TaskState::completed, task.state());
    ASSERT_EQ(1u, reports.size());
    EXPECT_NE(std::string::npos, reports[0].find("done callback")) << reports[0];
    EXPECT_NE(std::string::npos, reports[0].find("callback's own")) << reports[0];
  });
  reports.clear();
}

TEST_F(DoneCallbacksTest, S48_OneAddedByAnotherRunsToo) {
  run([] {
    std::string order;
    auto task = create_task([] {});
    task.add_done_callback([&, task] {
      order += "a";
      task.add_done_callback([&] { order += "c"; });
    });
    task.add_done_callback([&] { order += "b"; });
    await(task);
    settle();
    EXPECT_EQ("abc", order);
  });
}

TEST_F(DoneCallbacksTest, S48_ForFailedCancelledAndUnstartedTasksAlike) {
  run([] {
    int calls = 0;
    auto failed = create_task([] { throw std::runtime_error("x"); });
    auto cancelled = create_task([] { sleep(1h); });
    failed.add_done_callback([&] { ++calls; });
    cancelled.add_done_callback([&] { ++calls; });
    settle();
    cancelled.cancel();
    auto unstarted = create_task([] {});
    unstarted.add_done_callback([&] { ++calls; });
    unstarted.cancel();
    settle();
    EXPECT_EQ(3, calls);
    EXPECT_NE(nullptr, failed.exception());
  });
}

TEST_F(DoneCallbacksTest, S48_CallbackMayTakeTheTask) {
  run([] {
    int result = 0;
    auto task = create_task([] { return 6; });
    task.add_done_callback([&](const Task<int>& done) { result = done.result(); });
    await(task);
    settle();
    EXPECT_EQ(6, result);
  });
}

TEST_F(DoneCallbacksTest, S48_WhatACallbackHoldsGoesAfterItsCall) {
  auto held = std::make_shared<int>(1);
  run([&] {
    auto task = create_task([] { sleep(1s); });
    task.add_done_callback([held] {});
    EXPECT_EQ(2, held.use_count());
    await(task);
    settle();
    EXPECT_EQ(1, held.use_count()) << "although a handle to the task lives";
  });
}

TEST_F(DoneCallbacksTest, S48_RunsAlsoForATaskThatTheEndOfRunCancels) {
  int calls = 0;
  run([&] {
    auto task = create_task([] { sleep(1h); });
    task.add_done_callback([&] { ++calls; });
    settle();
  });
  EXPECT_EQ(1, calls);
}

TEST_F(DoneCallbacksTest, S48_RunsForMainToo) {
  int calls = 0;
  run([&] { current_task().add_done_callback([&] { ++calls; }); });
  EXPECT_EQ(1, calls);
}

TEST_F(DoneCallbacksTest, S48_OneThatIsRemovedIsNotCalledAndLetsGoOfWhatItHolds) {
  std::string order;
  auto held = std::make_shared<int>(1);
  run([&] {
    auto task = create_task([] { sleep(1s); });
    task.add_done_callback([&] { order += "first;"; });
    const std::uint64_t removed = task.add_done_callback([&, held] { order += "removed;"; });
    task.add_done_callback([&](const Task<void>&) { order += "last;"; });
    EXPECT_TRUE(task.remove_done_callback(removed));
    EXPECT_EQ(1, held.use_count());
    EXPECT_FALSE(task.remove_done_callback(removed));
    EXPECT_FALSE(task.remove_done_callback(0));
    await(task);
    settle();
  });
  EXPECT_EQ("first;last;", order);
}

TEST_F(DoneCallbacksTest, S48_OnceTheTaskHasEndedNoneCanBeRemoved) {
  run([] {
    int calls = 0;
    auto task = create_task([] {});
    const std::uint64_t before = task.add_done_callback([&] { ++calls; });
    await(task);
    EXPECT_FALSE(task.remove_done_callback(before)) << "it is about to be called";
    const std::uint64_t after = task.add_done_callback([&] { ++calls; });
    EXPECT_EQ(0u, after);
    EXPECT_FALSE(task.remove_done_callback(after));
    settle();
    EXPECT_EQ(2, calls);
  });
}

TEST_F(DoneCallbacksTest, S48_WhatARemovedOneHoldsMayAddAndRemoveOthers) {
  run([] {
    int calls = 0;
    auto task = create_task([] { sleep(1s); });
    const std::uint64_t other = task.add_done_callback([] { ADD_FAILURE() << "was removed"; });
    std::shared_ptr<void> at_end{nullptr, [&, handle = AnyTask{task}](void*) {
                                   EXPECT_TRUE(handle.remove_done_callback(other));
                                   handle.add_done_callback([&] { ++calls; });
                                 }};
    const std::uint64_t id = task.add_done_callback([held = std::move(at_end)] {});
    EXPECT_TRUE(task.remove_done_callback(id));
    await(task);
    settle();
    EXPECT_EQ(1, calls);
  });
}

TEST_F(DoneCallbacksTest, EmptyCallbackIsRefusedWhereItIsGiven) {
  run([] {
    auto task = create_task([] {});
    EXPECT_THROW(static_cast<const AnyTask&>(task).add_done_callback({}), std::invalid_argument);
    await(task);
    EXPECT_THROW(static_cast<const AnyTask&>(task).add_done_callback({}), std::invalid_argument);
  });
}

TEST_F(DoneCallbacksTest, AfterTheLoopHasGoneItIsAnErrorToAddOne) {
  Task<void> task;
  run([&] { await(task = create_task([] {})); });
  end_loop();
  EXPECT_THROW(task.add_done_callback([] {}), NoRunningLoopError);
}

}  // namespace
}  // namespace asyncio::test

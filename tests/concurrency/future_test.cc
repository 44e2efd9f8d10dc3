// Futures: set once, awaited by any number, and never left hanging.
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class FutureTest : public LoopTest {};

TEST_F(FutureTest, P2_WaitersAreWokenInOrderOfArrival) {
  keep_order();
  run([] {
    const auto future = create_future<int>();
    std::vector<int> order;
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 5; ++i) {
      tasks.push_back(create_task([&, i] {
        EXPECT_EQ(7, await(future));
        order.push_back(i);
      }));
    }
    settle();
    future.set_result(7);
    EXPECT_TRUE(future.is_done());
    EXPECT_EQ(std::vector<int>{}, order) << "nobody runs inside set_result()";
    for (const auto& task : tasks) await(task);
    EXPECT_EQ((std::vector{0, 1, 2, 3, 4}), order);
  });
}

TEST_F(FutureTest, P4_SetTwiceIsAnError) {
  run([] {
    const Future<int> future;
    future.set_result(1);
    EXPECT_THROW(future.set_result(2), InvalidStateError);
    EXPECT_THROW(future.set_exception(std::out_of_range("far")), InvalidStateError);
    EXPECT_FALSE(future.cancel());
    EXPECT_EQ(1, future.result());
    EXPECT_EQ(1, await(future));
  });
}

TEST_F(FutureTest, P6_ACallbackMaySetItAndAnotherThreadMayNot) {
  run([] {
    const Future<int> future;
    std::thread{[&] {
      EXPECT_THROW(future.set_result(1), InvalidStateError);
      EXPECT_THROW(future.set_exception(std::out_of_range("far")), InvalidStateError);
      EXPECT_THROW(future.cancel(), InvalidStateError);
    }}.join();
    EXPECT_FALSE(future.is_done());
    call_soon([&] { future.set_result(2); });
    EXPECT_EQ(2, await(future));

    const Future<int> posted;
    const LoopHandle handle = get_event_loop().handle();
    std::thread poster{[&] { handle.call_soon_threadsafe([&] { posted.set_result(3); }); }};
    EXPECT_EQ(3, await(posted));
    poster.join();
  });
}

TEST_F(FutureTest, P13_TheLastHandleMayGoWhileATaskWaits) {
  run([] {
    auto mine = std::make_unique<Future<std::string>>();
    auto waiter = create_task([&] { return await(*mine); });
    settle();
    const auto setter = *mine;
    mine.reset();
    setter.set_result("late");
    EXPECT_EQ("late", await(waiter));
  });
}

TEST_F(FutureTest, P13_OneThatNobodyCanSetIsADeadlock) {
  EXPECT_THROW(run([] { await(create_future<void>()); }), DeadlockError);
}

TEST_F(FutureTest, P14_AwaitOfADoneFutureReturnsAtOnceButIsACheckpoint) {
  run([] {
    const Future<void> future;
    EXPECT_THROW(future.result(), InvalidStateError);
    future.set_result();
    {
      const ExpectNoSuspend check;
      await(future);
      future.result();
    }
    auto task = create_task([&] {
      current_task().cancel();
      await(future);
      ADD_FAILURE() << "awaited";
    });
    EXPECT_THROW(await(task), TaskCancelledException);
  });
}

TEST_F(FutureTest, P26_TimeoutAndResultInTheSameTurnIsTheResult) {
  run([this] {
    const Future<int> future;
    auto task = create_task([&] { return timeout(10ms, [&] { return await(future); }); });
    settle();
    clock.advance(20ms);
    future.set_result(4);
    EXPECT_EQ(4, await(task));
    EXPECT_THROW(timeout(10ms, [] { await(create_future<int>()); }), TimeoutException);
  });
}

TEST_F(FutureTest, P27_OutsideATaskSettingWorksAndAwaitIsAnError) {
  EXPECT_THROW(create_future<int>(), NoRunningLoopError);
  run([] {
    bool checked = false;
    call_soon([&] {
      const Future<int> future;
      EXPECT_THROW(await(future), NotInTaskError);
      future.set_result(1);
      EXPECT_EQ(1, future.result());
      EXPECT_THROW(await(future), NotInTaskError);
      checked = true;
    });
    settle();
    EXPECT_TRUE(checked);
  });
}

TEST_F(FutureTest, P28_TheFastPathStarvesNobody) {
  run([] {
    const Future<int> future;
    future.set_result(1);
    int turns = 0;
    bool stop = false;
    auto other = create_task([&] {
      while (!stop) {
        yield();
        ++turns;
      }
    });
    for (int i = 0; i < 100'000; ++i) await(future);
    EXPECT_LT(10, turns);
    stop = true;
    await(other);
  });
}

TEST_F(FutureTest, C16_AResultSetBeforeTheCancelIsDelivered) {
  run([] {
    const Future<int> future;
    int got = 0;
    auto waiter = create_task([&] {
      got = await(future);
      sleep(0s);
      ADD_FAILURE() << "the next suspending call throws";
    });
    settle();
    future.set_result(5);
    waiter.cancel();
    EXPECT_THROW(await(waiter), TaskCancelledException);
    EXPECT_EQ(5, got);
  });
}

TEST_F(FutureTest, C15_ACancelledWaiterLeavesTheFutureAlone) {
  run([] {
    const Future<int> future;
    auto gone = create_task([&] { return await(future); });
    auto stays = create_task([&] { return await(future); });
    settle();
    gone.cancel();
    EXPECT_THROW(await(gone), TaskCancelledException);
    EXPECT_FALSE(future.is_done());
    future.set_result(6);
    EXPECT_EQ(6, await(stays));
  });
}

TEST_F(FutureTest, CancelReachesWhoAwaitsItAsAnError) {
  run([] {
    const Future<int> future;
    auto waiter = create_task([&] {
      EXPECT_THROW(await(future), TaskCancelledException);
      sleep(1ms);  // this task is not being cancelled
      return 1;
    });
    settle();
    EXPECT_TRUE(future.cancel("no need"));
    EXPECT_FALSE(future.cancel());
    EXPECT_THROW(future.set_result(1), InvalidStateError);
    EXPECT_EQ(1, await(waiter));
    try {
      future.result();
      ADD_FAILURE() << "a result";
    } catch (const TaskCancelledException& error) {
      EXPECT_NE(std::string::npos, std::string{error.what()}.find("no need"));
    }
  });
}

TEST_F(FutureTest, OnceItsLoopIsGoneItTellsSo) {
  std::optional<Future<int>> open;
  std::optional<Future<int>> done;
  run([&] {
    open.emplace();
    done.emplace();
    done->set_result(1);
  });
  end_loop();
  run([] {});  // another loop, with the inbox of the first
  EXPECT_THROW(open->set_result(1), ClosedError);
  EXPECT_THROW(open->set_exception(std::runtime_error("late")), ClosedError);
  EXPECT_THROW(open->cancel(), ClosedError);
  EXPECT_THROW(open->add_done_callback([] {}), ClosedError);
  EXPECT_THROW(done->add_done_callback([] {}), ClosedError);
  EXPECT_FALSE(open->is_done());
  EXPECT_EQ(1, done->result());
  EXPECT_FALSE(done->cancel());
}

TEST_F(FutureTest, ExceptionReachesEveryWaiter) {
  run([] {
    const Future<int> future;
    EXPECT_THROW(future.set_exception(std::exception_ptr{}), std::invalid_argument);
    auto first = create_task([&] { return await(future); });
    auto second = create_task([&] { return await(future); });
    settle();
    future.set_exception(std::out_of_range("far"));
    EXPECT_THROW(await(first), std::out_of_range);
    EXPECT_THROW(await(second), std::out_of_range);
    EXPECT_THROW(future.result(), std::out_of_range);
  });
}

TEST_F(FutureTest, ExceptionThatNobodyLooksAtIsReported) {
  run([] {
    const Future<int> future;
    future.set_exception(std::out_of_range("far"));
  });
  ASSERT_EQ(1u, reports.size());
  EXPECT_NE(std::string::npos, reports[0].find("far"));
  reports.clear();
}

TEST_F(FutureTest, AwaitOfAnLvalueCopiesAndOfAnRvalueMoves) {
  run([] {
    Future<std::string> future;
    future.set_result(std::string(100, 'x'));
    EXPECT_EQ(std::string(100, 'x'), await(future));
    EXPECT_EQ(std::string(100, 'x'), await(future));
    Future<std::unique_ptr<int>> once;
    once.set_result(std::make_unique<int>(8));
    EXPECT_EQ(8, *await(std::move(once)));
  });
}

TEST_F(FutureTest, DoneCallbacksRunFromTheLoopInOrder) {
  keep_order();
  run([] {
    const Future<int> future;
    std::vector<int> calls;
    future.add_done_callback([&] { calls.push_back(1); });
    future.add_done_callback([&](const Future<int>& done) { calls.push_back(done.result()); });
    settle();
    EXPECT_EQ(std::vector<int>{}, calls);
    future.set_result(2);
    EXPECT_EQ(std::vector<int>{}, calls) << "not inside set_result()";
    settle();
    EXPECT_EQ((std::vector{1, 2}), calls);
    future.add_done_callback([&] { calls.push_back(3); });
    EXPECT_EQ((std::vector{1, 2}), calls);
    settle();
    EXPECT_EQ((std::vector{1, 2, 3}), calls);
  });
}

TEST_F(FutureTest, DoneCallbackThatIsRemovedIsNotCalled) {
  run([] {
    const Future<int> future;
    std::vector<int> calls;
    future.add_done_callback([&] { calls.push_back(1); });
    auto held = std::make_shared<int>(1);
    const std::uint64_t removed = future.add_done_callback([&, held] { calls.push_back(2); });
    const std::uint64_t last =
        future.add_done_callback([&](const Future<int>&) { calls.push_back(3); });
    EXPECT_TRUE(future.remove_done_callback(removed));
    EXPECT_EQ(1, held.use_count());
    EXPECT_FALSE(future.remove_done_callback(removed));
    future.set_result(2);
    EXPECT_FALSE(future.remove_done_callback(last)) << "it is about to be called";
    settle();
    EXPECT_EQ((std::vector{1, 3}), calls);
    EXPECT_EQ(0u, future.add_done_callback([] {}));
    settle();
  });
}

}  // namespace
}  // namespace asyncio::test

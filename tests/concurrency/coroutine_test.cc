// The bridge between tasks and C++20's coroutines, in both directions.
#include <asyncio/concurrency/coroutine.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/awaitables.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;
using somebody_elses::AtOnce;
using somebody_elses::Lazy;
using somebody_elses::Manual;
using somebody_elses::Number;
using somebody_elses::OnThread;
using somebody_elses::Routine;
using somebody_elses::Stoppable;

static_assert(Awaitable<Manual&> && Awaitable<Number> && Awaitable<Lazy<int>>);
static_assert(!Awaitable<Lazy<int>&>, "awaited as a temporary only");
static_assert(!Awaitable<int> && !Awaitable<Task<int>> && !Awaitable<AnyTask&>);
static_assert(!Awaitable<const Task<int>&> && !Awaitable<Future<int>&> && !Awaitable<Future<void>>);
static_assert(StoppableAwaitable<Stoppable&> && !StoppableAwaitable<Manual&>);

class CoroutineTest : public LoopTest {};

// ---- A task awaits an awaitable -----------------------------------------------------------------

TEST_F(CoroutineTest, WhatIsThereAtOnceComesWithoutSuspending) {
  run([] {
    int number = 3;
    const ExpectNoSuspend none;
    EXPECT_EQ(5, await(Number{5}));
    EXPECT_EQ(&number, &await(AtOnce{[&]() -> int& { return number; }}));
    EXPECT_EQ(4, *await(AtOnce{[] { return std::make_unique<int>(4); }}));
    bool awaited = false;
    await(AtOnce{[&] { awaited = true; }});
    EXPECT_TRUE(awaited);
    EXPECT_THROW(await(AtOnce{[]() -> int { throw std::runtime_error("at once"); }}),
                 std::runtime_error);
  });
}

TEST_F(CoroutineTest, WhatCompletesLaterOnTheLoopWakesTheTask) {
  run([] {
    Manual later;
    call_later(20ms, [&] { later.complete(7); });
    EXPECT_EQ(7, await(later)) << "by a callback";

    Manual failing;
    create_task([&] { failing.fail("by a task"); });
    EXPECT_THROW(await(failing), std::runtime_error);
  });
  EXPECT_EQ(20ms, elapsed());
}

TEST_F(CoroutineTest, WhatCompletesOnAnotherThreadIsBroughtToTheLoop) {
  run([] {
    for (int i = 0; i < 10; ++i) {
      OnThread elsewhere;
      const auto here = std::this_thread::get_id();
      EXPECT_EQ("from a thread", await(elsewhere));
      EXPECT_EQ(here, std::this_thread::get_id());
    }
  });
}

TEST_F(CoroutineTest, ACoroutineMayAwaitOtherCoroutinesAndTasksOnTheWay) {
  run([] {
    const auto inner = [](Task<int> task) -> Lazy<std::string> {
      co_return std::to_string(co_await task);
    };
    const auto outer = [&]() -> Lazy<std::string> {
      const auto slow = create_task([] {
        sleep(1s);
        return 42;
      });
      co_return "it is " + co_await inner(slow);
    };
    EXPECT_EQ("it is 42", await(outer()));
    const auto failing = []() -> Lazy<int> {
      co_await create_task([] { sleep(1s); });
      throw std::runtime_error("in the coroutine");
    };
    EXPECT_THROW(await(failing()), std::runtime_error);
  });
}

TEST_F(CoroutineTest, WhoDestroysTheCoroutineInsteadOfResumingItIsReported) {
  run([] {
    Manual dropped;
    call_soon([&] { dropped.drop(); });
    EXPECT_THROW(await(dropped), ClosedError);
  });
}

TEST_F(CoroutineTest, ATaskThatWaitsSaysSo) {
  run([] {
    Manual later;
    auto task = create_task([&] { return await(later); });
    settle();
    EXPECT_EQ("awaitable", task.wait_reason());
    later.complete(1);
    EXPECT_EQ(1, await(task));
  });
}

TEST_F(CoroutineTest, OutsideATaskItIsAnErrorAndNothingIsAwaited) {
  run([] {
    Manual later;
    bool refused = false;
    call_soon([&] {
      try {
        await(later);
      } catch (const NotInTaskError&) {
        refused = true;
      }
    });
    settle();
    EXPECT_TRUE(refused);
    EXPECT_FALSE(later.is_awaited());
  });
}

// ---- A cancel meets an awaitable ----------------------------------------------------------------

TEST_F(CoroutineTest, R2_APendingCancelIsThrownBeforeTheAwaitableIsAwaited) {
  run([] {
    Manual later;
    auto task = create_task([&] {
      current_task().cancel();
      await(later);
    });
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_FALSE(later.is_awaited());
  });
}

TEST_F(CoroutineTest, R4_WhatCannotBeStoppedIsWaitedForAndTheCancelStaysPending) {
  run([] {
    Manual later;
    int got = 0;
    auto task = create_task([&] {
      got = await(later);
      sleep(1h);
    });
    settle();
    task.cancel();
    sleep(1s);
    EXPECT_FALSE(task.is_done());
    later.complete(7);
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ(7, got);
  });
  EXPECT_EQ(1s, elapsed());
}

TEST_F(CoroutineTest, WhatCanBeStoppedIsToldOnceAndItsExceptionMeansItHasStopped) {
  run([] {
    Stoppable later;
    auto task = create_task([&] { await(later); });
    settle();
    task.cancel();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ(1, later.stops);
  });
}

TEST_F(CoroutineTest, C9_AValueBeatsTheCancelThatAskedForAStop) {
  run([] {
    Stoppable later;
    later.answer = 7;
    auto task = create_task([&] { return await(later); });
    settle();
    task.cancel();
    EXPECT_EQ(7, await(task));
    EXPECT_EQ(1, later.stops);
  });
}

TEST_F(CoroutineTest, C9_WhatHasCompletedIsNotStopped) {
  run([] {
    Stoppable later;
    auto task = create_task([&] { return await(later); });
    settle();
    later.complete(7);
    task.cancel();
    EXPECT_EQ(7, await(task));
    EXPECT_EQ(0, later.stops);
  });
}

TEST_F(CoroutineTest, AStopMayTakeItsTime) {
  run([] {
    struct Slow : Manual {
      void request_stop() {
        call_later(1s, [this] { fail("stopped"); });
      }
    } later;
    EXPECT_THROW(timeout(20ms, [&] { return await(later); }), TimeoutException);
  });
  EXPECT_EQ(1020ms, elapsed());
}

TEST_F(CoroutineTest, C34_WithinAShieldNothingIsStopped) {
  run([] {
    Stoppable later;
    auto task = create_task([&] { return shield([&] { return await(later); }); });
    settle();
    task.cancel();
    settle();
    EXPECT_EQ(0, later.stops);
    later.complete(7);
    EXPECT_EQ(7, await(task));
  });
}

TEST_F(CoroutineTest, AStopMayMeetACompletionOnAnotherThread) {
  run([] {
    struct Racing : OnThread {
      void request_stop() noexcept {}
    };
    for (int i = 0; i < 10; ++i) {
      auto task = create_task([] {
        Racing elsewhere;
        return await(elsewhere);
      });
      settle();
      task.cancel();
      EXPECT_EQ("from a thread", await(task));
    }
  });
}

TEST_F(CoroutineTest, S44_TheEndOfTheRunStopsWhatTasksAwait) {
  Stoppable later;
  run([&] {
    create_task([&] { await(later); });
    settle();
  });
  EXPECT_EQ(1, later.stops);
}

// ---- A coroutine awaits a task ------------------------------------------------------------------

TEST_F(CoroutineTest, ACoroutineGetsWhatATaskGives) {
  run([] {
    int number = 3;
    std::string seen;
    const auto everything = [&]() -> Routine {
      const auto slow = create_task([] {
        sleep(1s);
        return std::string{"value"};
      });
      seen += co_await slow;
      seen += " " + co_await slow;  // it has ended: this does not suspend
      auto owned = co_await create_task([] { return std::make_unique<int>(4); });
      seen += " " + std::to_string(*owned);
      int& same = co_await create_task([&]() -> int& { return number; });
      seen += &same == &number ? " reference" : " copy";
      co_await create_task([] { sleep(1s); });
      const AnyTask any = create_task([] { return 5; });
      co_await any;
      try {
        co_await create_task([] { throw std::runtime_error("failure"); });
      } catch (const std::runtime_error& error) {
        seen += std::string{" "} + error.what();
      }
    };
    const Routine routine = everything();
    EXPECT_FALSE(routine.is_done());
    sleep(3s);
    EXPECT_TRUE(routine.is_done());
    EXPECT_EQ("value value 4 reference failure", seen);
  });
}

TEST_F(CoroutineTest, ACoroutineGetsWhatAFutureGives) {
  run([] {
    std::string seen;
    const auto everything = [&](Future<std::string> named) -> Routine {
      seen += co_await named;
      auto owned = co_await [] {
        auto future = create_future<std::unique_ptr<int>>();
        call_later(1s, [future] { future.set_result(std::make_unique<int>(4)); });
        return future;
      }();
      seen += " " + std::to_string(*owned);
      auto cancelled = create_future<void>();
      call_soon([cancelled] { cancelled.cancel(); });
      try {
        co_await cancelled;
      } catch (const TaskCancelledException&) {
        seen += " cancelled";
      }
    };
    const auto named = create_future<std::string>();
    const Routine routine = everything(named);
    named.set_result("value");
    EXPECT_EQ("", seen) << "it is resumed by the loop, not by who sets the result";
    sleep(2s);
    EXPECT_EQ("value 4 cancelled", seen);
    EXPECT_TRUE(routine.is_done());
  });
}

TEST_F(CoroutineTest, OneThatRunsOutsideAnyTaskAwaitsAndIsResumedThere) {
  run([] {
    const auto task = create_task([] {
      sleep(1s);
      return 5;
    });
    int got = 0;
    const auto wait = [&]() -> Routine {
      EXPECT_EQ(nullptr, detail::current_task_control());
      got = co_await task;
      EXPECT_EQ(nullptr, detail::current_task_control());
    };
    std::optional<Routine> routine;
    call_soon([&] { routine.emplace(wait()); });
    sleep(2s);
    EXPECT_EQ(5, got);
    EXPECT_TRUE(routine->is_done());
  });
}

TEST_F(CoroutineTest, C21_ACancelledTaskIsAnOrdinaryErrorForTheCoroutine) {
  run([] {
    const auto task = create_task([] { sleep(1h); });
    std::string reason;
    const auto wait = [&]() -> Routine {
      try {
        co_await task;
      } catch (const TaskCancelledException& error) {
        reason = error.what();
      }
    };
    const Routine routine = wait();
    settle();
    task.cancel("enough");
    settle();
    EXPECT_NE(std::string::npos, reason.find("enough")) << reason;
    EXPECT_TRUE(routine.is_done());
  });
}

TEST_F(CoroutineTest, C20_OneThatIsDestroyedWhileItWaitsIsForgotten) {
  run([] {
    const auto task = create_task([] {
      sleep(1s);
      return 5;
    });
    const auto future = create_future<int>();
    bool resumed = false;
    const auto wait = [&](auto awaited) -> Routine {
      co_await awaited;
      resumed = true;
    };
    std::optional<Routine> of_task{wait(task)};
    std::optional<Routine> of_future{wait(future)};
    settle();
    of_task.reset();
    of_future.reset();
    future.set_result(1);
    EXPECT_EQ(5, await(task));
    settle();
    EXPECT_FALSE(resumed);

    std::optional<Routine> too_late{wait(create_task([] { return 6; }))};
    yield();  // the task has ended, and its callbacks are on their way
    too_late.reset();
    settle();
    EXPECT_FALSE(resumed);
  });
}

TEST_F(CoroutineTest, S44_TheEndOfTheRunResumesWhoAwaitsALeftover) {
  bool told = false;
  std::optional<Routine> routine;
  run([&] {
    const auto wait = [](Task<void> task, bool& cancelled) -> Routine {
      try {
        co_await task;
      } catch (const TaskCancelledException&) {
        cancelled = true;
      }
    };
    routine.emplace(wait(create_task([] { sleep(1h); }), told));
    settle();
  });
  EXPECT_TRUE(told);
}

TEST_F(CoroutineTest, OneThatOutlivesTheLoopMayBeDestroyed) {
  std::unique_ptr<Routine> routine;
  run([&] {
    const auto wait = [](Future<int> never) -> Routine { co_await never; };
    routine = std::make_unique<Routine>(wait(create_future<int>()));
  });
  end_loop();
  EXPECT_FALSE(routine->is_done());
  routine.reset();
}

TEST_F(CoroutineTest, OnAnotherThreadItIsAnError) {
  run([] {
    const auto task = create_task([] { sleep(1s); });
    bool refused = false;
    const auto wait = [](Task<void> awaited, bool& error) -> Routine {
      try {
        co_await awaited;
      } catch (const InvalidStateError&) {
        error = true;
      }
    };
    std::thread{[&] { wait(task, refused); }}.join();
    EXPECT_TRUE(refused);
  });
}

TEST_F(CoroutineTest, WhatItLetsOutGoesToTheExceptionHandler) {
  run([&] {
    const auto wait = []() -> Routine {
      co_await create_task([] {});
      throw std::runtime_error("coroutine's own");
    };
    const Routine routine = wait();
    sleep(1s);
    ASSERT_EQ(1u, reports.size());
    EXPECT_NE(std::string::npos, reports[0].find("coroutine's own")) << reports[0];
  });
  reports.clear();
}

}  // namespace
}  // namespace asyncio::test

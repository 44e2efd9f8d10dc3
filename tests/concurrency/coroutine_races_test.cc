// The bridge to coroutines where two things meet: completions, cancels, threads and ends.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include <malloc.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/awaitables.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;
using somebody_elses::AtOnce;
using somebody_elses::Manual;
using somebody_elses::Routine;
using somebody_elses::Stoppable;

class CoroutineRacesTest : public LoopTest {};

/// Completes at once, and can be stopped all the same.
struct StoppableAtOnce {
  int stops = 0;
  bool await_ready() const noexcept { return true; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  int await_resume() const noexcept { return 7; }
  void request_stop() noexcept { ++stops; }
};

/// Hears that it is to stop, and takes its time.
struct Stubborn : Manual {
  int stops = 0;
  void request_stop() noexcept { ++stops; }
};

// ---- Completed before anybody waits -------------------------------------------------------------

TEST_F(CoroutineRacesTest, WhatIsThereAtOnceIsNotStopped) {
  run([] {
    StoppableAtOnce ready;
    const ExpectNoSuspend none;
    EXPECT_EQ(7, await(ready));
    EXPECT_EQ(0, ready.stops);
  });
}

TEST_F(CoroutineRacesTest, WhatCompletesWhileItIsAwaitedNeedsNoWait) {
  run([] {
    struct InSuspend : Manual {
      void await_suspend(std::coroutine_handle<> coroutine) {
        Manual::await_suspend(coroutine);
        complete(7);
      }
    } one;
    const ExpectNoSuspend none;
    EXPECT_EQ(7, await(one));
  });
}

TEST_F(CoroutineRacesTest, P28_WhatIsThereAtOnceStarvesNobody) {
  run([] {
    const auto turns_until_another_ran = [](auto await_one) {
      bool ran = false;
      create_task([&ran] { ran = true; });
      int awaited = 0;
      for (; !ran && awaited < 1000; ++awaited) await_one();
      return awaited;
    };
    StoppableAtOnce stoppable;
    EXPECT_GT(1000, turns_until_another_ran([] { await(AtOnce{[] {}}); }));
    EXPECT_GT(1000, turns_until_another_ran([&] { await(stoppable); }));
  });
}

TEST_F(CoroutineRacesTest, C55_WhatWasAwaitedLeavesNothingBehind) {
  run([] {
    const auto await_many = [] {
      for (int i = 0; i < 1000; ++i) await(AtOnce{[] {}});
      return ::mallinfo2().uordblks;
    };
    const std::size_t before = await_many();
    EXPECT_GT(before + 1000, await_many()) << "bytes in use";
  });
}

// ---- On the loop, and on other threads ----------------------------------------------------------

TEST_F(CoroutineRacesTest, CompletedOnTheLoopItNeedsNoPost) {
  run([&] {
    Manual later;
    auto task = create_task([&] { return await(later); });
    settle();
    const std::uint64_t posts = loop().statistics().posts;
    later.complete(7);
    EXPECT_EQ("ready", task.wait_reason()) << "it is woken at once";
    EXPECT_EQ(7, await(task));
    EXPECT_EQ(posts, loop().statistics().posts);
  });
}

TEST_F(CoroutineRacesTest, CompletedOnAnotherThreadItIsWokenByTheLoopAlone) {
  run([&] {
    Manual later;
    auto task = create_task([&] { return await(later); });
    settle();
    const std::uint64_t posts = loop().statistics().posts;
    std::thread{[&] { later.complete(7); }}.join();
    EXPECT_EQ("awaitable", task.wait_reason()) << "the other thread must not touch the task";
    EXPECT_EQ(7, await(task));
    EXPECT_EQ(posts + 1, loop().statistics().posts);
  });
}

TEST_F(CoroutineRacesTest, DestroyedOnAnotherThreadItIsReportedToo) {
  run([] {
    Manual dropped;
    auto task = create_task([&] { return await(dropped); });
    settle();
    std::thread{[&] { dropped.drop(); }}.join();
    EXPECT_THROW(await(task), ClosedError);
  });
}

TEST_F(CoroutineRacesTest, S33_WhileItIsWaitedForAnotherThreadMayComeAndNoLonger) {
  Manual later;
  auto task = loop().create_task([&] { await(later); }, {.background = true});
  EXPECT_TRUE(loop().run_ready()) << "a run would wait for that thread";
  later.complete(7);
  while (!task.is_done()) loop().run_ready();
  EXPECT_FALSE(loop().run_ready());
}

// ---- A cancel in between ------------------------------------------------------------------------

TEST_F(CoroutineRacesTest, C9_AValueThatTheLoopHasNotHeardOfYetBeatsTheCancel) {
  run([] {
    Stubborn later;
    bool cancelled = false;
    auto task = create_task([&] {
      const int value = await(later);
      try {
        checkpoint();
      } catch (const Cancelled&) {
        cancelled = true;
      }
      return value;
    });
    settle();
    std::thread{[&] { later.complete(7); }}.join();
    task.cancel();
    EXPECT_EQ(7, await(task));
    EXPECT_EQ(1, later.stops);
    EXPECT_TRUE(cancelled) << "the cancel stays pending";
  });
}

TEST_F(CoroutineRacesTest, C9_AFailureThatTheLoopHasNotHeardOfYetIsTakenForTheStop) {
  run([] {
    Stubborn later;
    auto task = create_task([&] { return await(later); });
    settle();
    std::thread{[&] { later.fail("by itself"); }}.join();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
  });
}

TEST_F(CoroutineRacesTest, R4_ItIsStoppedOnceWhoeverElseCancels) {
  run([&] {
    Stubborn later;
    auto task = create_task([&] {
      timeout(2s, [&] { CancellationScope::run([&] { await(later); }, {.timeout = 3s}); });
    });
    settle();
    task.cancel("first");
    sleep(1s);
    task.cancel("second");
    sleep(4s);  // both deadlines pass
    EXPECT_EQ(1, later.stops);
    EXPECT_FALSE(task.is_done());
    later.fail("stopped");
    try {
      await(task);
      ADD_FAILURE() << "must throw";
    } catch (const TaskCancelledException& cancelled) {
      EXPECT_EQ("first", cancelled.text());
    }
  });
}

TEST_F(CoroutineRacesTest, AStopMayDestroyTheCoroutine) {
  run([] {
    struct Dropping : Manual {
      void request_stop() noexcept { drop(); }
    } later;
    auto task = create_task([&] { return await(later); });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), ClosedError);
  });
}

TEST_F(CoroutineRacesTest, AStopMayCompleteItOnAnotherThread) {
  run([] {
    struct Elsewhere : Manual {
      void request_stop() noexcept {
        std::thread{[this] { fail("stopped"); }}.join();
      }
    } later;
    auto task = create_task([&] { return await(later); });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
  });
}

// ---- A value and an exception -------------------------------------------------------------------

TEST_F(CoroutineRacesTest, AnExceptionThatComesAfterTheValueIsNotLost) {
  run([] {
    struct FailsAtItsEnd {
      bool await_ready() const noexcept { return true; }
      void await_suspend(std::coroutine_handle<>) const noexcept {}
      int await_resume() const noexcept { return 7; }
      ~FailsAtItsEnd() noexcept(false) { throw std::runtime_error("at its end"); }
    };
    struct Gives {
      FailsAtItsEnd operator co_await() const { return {}; }
    };
    EXPECT_THROW(await(Gives{}), std::runtime_error);
  });
}

// ---- Coroutines that await tasks and futures ----------------------------------------------------

TEST_F(CoroutineRacesTest, WhatHasEndedIsGivenWithoutALapOfTheLoop) {
  run([] {
    const auto task = create_task([] { return 1; });
    const auto future = create_future<int>();
    future.set_result(2);
    await(task);
    int sum = 0;
    const auto add = [&]() -> Routine { sum = co_await task + co_await future; };
    EXPECT_TRUE(add().is_done());
    EXPECT_EQ(3, sum);
  });
}

TEST_F(CoroutineRacesTest, ACopyIsLeftWhereItWas) {
  run([] {
    const auto task = create_task([] { return std::string{"task"}; });
    const auto future = create_future<std::string>();
    std::string seen;
    const auto both = [&]() -> Routine { seen = co_await task + co_await future; };
    const Routine routine = both();
    await(task);
    future.set_result("future");
    settle();
    EXPECT_EQ("taskfuture", seen);
    EXPECT_EQ("task", task.result());
    EXPECT_EQ("future", future.result());
  });
}

TEST_F(CoroutineRacesTest, AFailureComesThroughHandlesOfEveryKind) {
  run([] {
    const auto fail = []() -> int { throw std::runtime_error("bad"); };
    const auto failing_future = [] {
      auto future = create_future<int>();
      future.set_exception(std::runtime_error("bad"));
      return future;
    };
    int failures = 0;
    const auto count = [&](auto awaitable_of) -> Routine {
      try {
        co_await awaitable_of();
      } catch (const std::runtime_error&) {
        ++failures;
      }
    };
    const auto kept = failing_future();
    const Routine routines[] = {count([&] { return create_task(fail); }),
                                count([&]() -> AnyTask { return create_task(fail); }),
                                count(failing_future),
                                count([&]() -> const Future<int>& { return kept; })};
    sleep(1s);
    EXPECT_EQ(4, failures);
    for (const Routine& routine : routines) EXPECT_TRUE(routine.is_done());
  });
}

TEST_F(CoroutineRacesTest, AFutureAwaitedOnAnotherThreadIsAnError) {
  run([] {
    const auto future = create_future<int>();
    bool refused = false;
    const auto wait = [&]() -> Routine {
      try {
        co_await future;
      } catch (const InvalidStateError&) {
        refused = true;
      }
    };
    std::thread{[&] { wait(); }}.join();
    EXPECT_TRUE(refused);
    future.set_result(1);
  });
}

TEST_F(CoroutineRacesTest, OneThatAwaitsInALoopIsResumedOnceForEach) {
  run([] {
    int resumed = 0;
    const auto count = [&]() -> Routine {
      for (int i = 0; i < 3; ++i) {
        co_await create_task([] { sleep(1s); });
        ++resumed;
      }
    };
    const Routine routine = count();
    sleep(1500ms);
    EXPECT_EQ(1, resumed);
    sleep(3s);
    EXPECT_EQ(3, resumed);
    EXPECT_TRUE(routine.is_done());
  });
}

// ---- In a process of its own --------------------------------------------------------------------

class CoroutineDeathTest : public LoopTest {};

[[noreturn]] void complete_when_the_loop_is_gone() {
  Manual later;
  int told = 0;
  {
    TestClock clock;
    EventLoop loop{make_backend("auto"), {.clock = &clock, .shutdown_grace = 1s}};
    loop.set_exception_handler([&](const ExceptionContext&) { ++told; });
    loop.run([&] {
      create_task([&] { await(later); });
      yield();
    });
  }
  if (told != 1 || !later.is_awaited()) std::_Exit(1);
  later.complete(7);
  std::_Exit(0);
}

// The task is given up, because it waits for what cannot be stopped, and is leaked with all it
// holds.
TEST_F(CoroutineDeathTest, CompletedWhenItsLoopIsGoneItDoesNothing) {
  EXPECT_EXIT(complete_when_the_loop_is_gone(), testing::ExitedWithCode(0), "");
}

TEST_F(CoroutineDeathTest, AStopThatThrowsEndsTheProcess) {
  struct Throwing : Manual {
    void request_stop() { throw std::runtime_error("must not"); }
  };
  EXPECT_DEATH(
      {
        asyncio::run([] {
          Throwing later;
          auto task = create_task([&] { return await(later); });
          yield();
          task.cancel();
          await(task);
        });
      },
      "");
}

}  // namespace
}  // namespace asyncio::test

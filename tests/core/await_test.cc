// Waiting for tasks.
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/scale.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class AwaitTest : public LoopTest {};

TEST_F(AwaitTest, S31_AwaitOfItselfIsADeadlockError) {
  run([] {
    Task<void> task;
    task = create_task(
        [&] {
          const ExpectNoSuspend at_once;
          const std::string message = message_of<DeadlockError>([&] { await(task); });
          EXPECT_TRUE(contains(message, "'narcissus' cannot wait for itself")) << message;
        },
        "narcissus");
    await(task);
    EXPECT_EQ(TaskState::completed, task.state());
  });
}

TEST_F(AwaitTest, S32_CycleOfTwoIsThrownToTheOneThatClosesIt) {
  keep_order();
  run([] {
    Task<int> a;
    Task<int> b;
    a = create_task([&] { return await(b) + 1; }, "a");
    b = create_task(
        [&] {
          const std::string message = message_of<DeadlockError>([&] { await(a); });
          EXPECT_TRUE(contains(message, "'b' awaits 'a', which awaits 'b'")) << message;
          return 10;
        },
        "b");
    EXPECT_EQ(11, await(a)) << "the rest of the cycle goes on";
  });
}

TEST_F(AwaitTest, S32_CycleOfAnyLengthIsFoundWhicheverEdgeComesLast) {
  for (const int length : {2, 3, 10, 200}) {
    run([&] {
      std::vector<Task<void>> ring(static_cast<std::size_t>(length));
      int errors = 0;
      for (std::size_t i = 0; i < ring.size(); ++i) {
        ring[i] = create_task([&, i] {
          try {
            await(ring[(i + 1) % ring.size()]);
          } catch (const DeadlockError&) {
            ++errors;
          }
        });
      }
      for (auto& task : ring) await(task);
      EXPECT_EQ(1, errors) << "in a ring of " << length;
    });
  }
}

TEST_F(AwaitTest, S32_DiamondIsNoCycle) {
  run([] {
    auto source = create_task([] {
      sleep(1s);
      return 1;
    });
    auto left = create_task([&] { return await(source) + 1; });
    auto right = create_task([&] { return await(source) + 2; });
    EXPECT_EQ(5, await(create_task([&] { return await(left) + await(right); })));
  });
}

TEST_F(AwaitTest, S34_AllWaitersGetTheSameValueInTheOrderTheyCame) {
  keep_order();
  std::vector<int> order;
  run([&] {
    auto source = create_task([] {
      sleep(1s);
      return std::make_shared<int>(5);
    });
    std::vector<std::shared_ptr<int>> values;
    for (int i = 0; i < 5; ++i) {
      create_task([&, i] {
        values.push_back(await(source));
        order.push_back(i);
      });
    }
    await(source);
    settle();
    ASSERT_EQ(5u, values.size());
    for (const auto& value : values) EXPECT_EQ(source.result(), value);
  });
  EXPECT_EQ((std::vector<int>{0, 1, 2, 3, 4}), order);
}

TEST_F(AwaitTest, S34_AllWaitersGetTheSameException) {
  run([] {
    auto source = create_task([]() -> int {
      sleep(1s);
      throw std::runtime_error("once");
    });
    std::vector<std::exception_ptr> seen;
    for (int i = 0; i < 3; ++i) {
      create_task([&] {
        try {
          await(source);
        } catch (...) {
          seen.push_back(std::current_exception());
        }
      });
    }
    settle();
    sleep(2s);
    ASSERT_EQ(3u, seen.size());
    EXPECT_EQ(seen[0], seen[1]);
    EXPECT_EQ(seen[0], seen[2]);
  });
}

TEST_F(AwaitTest, S35_FinishedTaskIsAwaitedWithoutSuspending) {
  run([] {
    auto task = create_task([] { return 1; });
    await(task);
    const ExpectNoSuspend at_once;
    EXPECT_EQ(1, await(task));
  });
}

TEST_F(AwaitTest, S35_PendingCancelIsThrownBeforeTheResultOfAFinishedTask) {
  run([] {
    auto finished = create_task([] { return 1; });
    await(finished);
    bool reached = false;
    auto task = create_task([&] {
      current_task().cancel();
      await(finished);
      reached = true;
    });
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_FALSE(reached);
  });
}

TEST_F(AwaitTest, S35_AwaitingFinishedTasksForEverStarvesNobody) {
  run([] {
    auto finished = create_task([] {});
    await(finished);
    bool other_ran = false;
    create_task([&] { other_ran = true; });
    for (int i = 0; i < 10'000 && !other_ran; ++i) await(finished);
    EXPECT_TRUE(other_ran);
  });
}

TEST_F(AwaitTest, S36_AChainOfAHundredThousandNeedsConstantStack) {
  const int length = static_cast<int>(scaled(100'000));
  run([&] {
    std::size_t deepest = 0;
    auto last = create_task(
        [] {
          sleep(1s);
          return 0;
        },
        TaskOptions{.stack_size = 16 << 10});
    for (int i = 0; i < length; ++i) {
      last = create_task(
          [previous = std::move(last), &deepest, i]() mutable {
            const int value = await(previous) + 1;
            previous = {};
            if (i % 1000 == 0) {
              deepest = std::max(deepest, current_task().stats().stack_used);
            }
            return value;
          },
          TaskOptions{.stack_size = 32 << 10});
    }
    EXPECT_EQ(length, await(last));
    EXPECT_GT(deepest, 0u);
    EXPECT_LE(deepest, 32u << 10);
  });
}

TEST_F(AwaitTest, S37_AwaitFromALoopCallbackIsAnErrorThatSaysWhatToDo) {
  run([&] {
    auto task = create_task([] { sleep(1s); });
    std::string message;
    call_soon([&] { message = message_of<NotInTaskError>([&] { await(task); }); });
    settle();
    EXPECT_TRUE(contains(message, "await must be called from a task")) << message;
    EXPECT_TRUE(contains(message, "create_task(...)")) << message;
  });
}

TEST_F(AwaitTest, S37_AwaitFromAPlainThreadIsAnError) {
  auto task = loop().create_task([] {});
  std::string message;
  std::thread{[&] { message = message_of<NotInTaskError>([&] { await(task); }); }}.join();
  EXPECT_TRUE(contains(message, is_host_wanted() ? "loop.create_task(...)" : "asyncio::run(...)"))
      << message;
  EXPECT_THROW(await(task), NotInTaskError) << "also on the loop's thread, outside a run";
  run([&] { await(task); });
  EXPECT_THROW(await(task), NotInTaskError) << "also when the task has ended";
}

TEST_F(AwaitTest, S37_SuspendingCallsInACallbackAreErrors) {
  run([&] {
    int errors = 0;
    const auto refused = [&](auto&& call) {
      try {
        call();
        ADD_FAILURE() << "went through";
      } catch (const NotInTaskError&) {
        ++errors;
      }
    };
    call_soon([&] {
      refused([] { sleep(1s); });
      refused([] { sleep(0); });
      refused([] { yield(); });
      refused([] { checkpoint(); });
      refused([] { static_cast<void>(is_cancelled()); });
      refused([] { wait_readable(0); });
      refused([] { wait_writable(1, 1s); });
      refused([] { to_thread([] {}); });
      refused([] { sleep_until(TimePoint::max()); });
    });
    settle();
    EXPECT_EQ(9, errors);
  });
}

TEST_F(AwaitTest, S37_SleepInAPlainThreadBlocksIt) {
  const TimePoint before = Clock::now();
  sleep(5ms);
  sleep(0.005);
  sleep(0);
  sleep(-1s);
  EXPECT_GE(Clock::now() - before, 10ms);
}

TEST_F(AwaitTest, TaskOfAnotherLoopIsRefusedUntilItHasEnded) {
  auto foreign = loop().create_task([] { return 6; }, "foreign");
  EventLoop second{make_backend("auto"), options};
  second.run([&] {
    const std::string message = message_of<InvalidStateError>([&] { await(foreign); });
    EXPECT_TRUE(contains(message, "'foreign' runs on another event loop")) << message;
  });
  run([&] { await(foreign); });
  EXPECT_EQ(6, second.run([&] { return await(foreign); }));
}

TEST_F(AwaitTest, WaiterThatIsCancelledLeavesTheQueueInOrder) {
  keep_order();
  std::string order;
  run([&] {
    auto source = create_task([] { sleep(1s); });
    std::vector<Task<void>> waiters;
    for (const char letter : {'a', 'b', 'c'}) {
      waiters.push_back(create_task([&, letter] {
        await(source);
        order += letter;
      }));
    }
    settle();
    waiters[1].cancel();
    sleep(2s);
    EXPECT_EQ("ac", order);
    EXPECT_EQ(TaskState::cancelled, waiters[1].state());
  });
}

TEST_F(AwaitTest, TaskMayBeAwaitedByWhatItCreated) {
  run([] {
    Task<int> inner;
    auto outer = create_task([&] {
      const AnyTask self = current_task();
      inner = create_task([self] {
        await(self);
        return 1;
      });
      sleep(1s);
    });
    await(outer);
    EXPECT_EQ(1, await(inner));
  });
}

TEST_F(AwaitTest, TheHandleItWasGivenMayGoMeanwhile) {
  run([&] {
    auto handle = std::make_unique<Task<std::string>>(create_task([] {
      sleep(1s);
      return std::string(100, 'x');
    }));
    auto untyped = std::make_unique<AnyTask>(*handle);
    auto timed = std::make_unique<Task<std::string>>(*handle);
    auto first = create_task([&] { return await(*handle); });
    auto second = create_task([&] { await(*untyped); });
    auto third = create_task([&] { return wait_for(*timed, 1h); });
    settle();
    handle.reset();
    untyped.reset();
    timed.reset();
    EXPECT_EQ(std::string(100, 'x'), await(first));
    await(second);
    EXPECT_EQ(std::string(100, 'x'), await(third));
  });
}

}  // namespace
}  // namespace asyncio::test

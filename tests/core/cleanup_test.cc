// The unwind of a cancelled task: swallowing it, replacing it, and cleanups that suspend.
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/finally.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class CleanupTest : public LoopTest {};

TEST_F(CleanupTest, C27_SwallowedCancelIsThrownAgainByTheNextSuspendingCall) {
  run([] {
    int thrown = 0;
    auto task = create_task([&] {
      for (int i = 0; i < 5; ++i) {
        try {
          sleep(1h);
        } catch (...) {
          ++thrown;
        }
      }
      sleep(1h);
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ(5, thrown);
  });
}

TEST_F(CleanupTest, C27_CatchOfStdExceptionLetsItPass) {
  run([] {
    bool caught = false;
    auto task = create_task([&] {
      try {
        sleep(1h);
      } catch (const std::exception&) {
        caught = true;
      }
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_FALSE(caught);
  });
}

TEST_F(CleanupTest, C27_SwallowingForLongMakesTheTaskWaitNotSpin) {
  run([&] {
    int swallowed = 0;
    auto task = create_task([&] {
      while (elapsed() < 100ms) {
        try {
          sleep(1h);
        } catch (...) {
          ++swallowed;
        }
      }
    });
    settle();
    task.cancel();
    bool other_ran = false;
    create_task([&] { other_ran = true; });
    await(task);
    EXPECT_TRUE(other_ran);
    EXPECT_LT(swallowed, 200) << "virtual time passes only while the task waits";
  });
}

TEST_F(CleanupTest, C28_SwallowedThenReturnedIsCompletedWithItsValue) {
  run([] {
    auto task = create_task([] {
      try {
        sleep(1h);
      } catch (...) {
      }
      return 4;
    });
    settle();
    EXPECT_TRUE(task.cancel());
    EXPECT_EQ(4, await(task));
    EXPECT_EQ(TaskState::completed, task.state());
  });
}

TEST_F(CleanupTest, C29_ReplacedByAnotherExceptionIsFailedWithThatOne) {
  run([] {
    auto task = create_task([] {
      try {
        sleep(1h);
      } catch (const Cancelled&) {
        throw std::runtime_error("cleanup failed");
      }
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), std::runtime_error);
    EXPECT_EQ(TaskState::failed, task.state());
  });
}

TEST_F(CleanupTest, C30_DestructorsOnTheWayMaySuspendAndRunToTheEnd) {
  std::string order;
  run([&] {
    auto task = create_task([&] {
      Finally outer{[&] {
        yield();
        order += "outer;";
      }};
      Finally inner{[&] {
        sleep(1s);
        await(create_task([] { sleep(1s); }));
        to_thread([] {});
        order += "inner;";
      }};
      sleep(1h);
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    order += "awaited;";
  });
  EXPECT_EQ("inner;outer;awaited;", order);
  EXPECT_EQ(2s, elapsed());
}

TEST_F(CleanupTest, R6_CleanupInACatchBlockIsCancelledLikeAnyOtherCode) {
  run([&] {
    bool finished = false;
    auto task = create_task([&] {
      try {
        sleep(1h);
      } catch (const Cancelled&) {
        sleep(1s);  // nothing is in flight in a catch block, so this throws as well
        finished = true;
        throw;
      }
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_FALSE(finished);
    EXPECT_EQ(Duration::zero(), elapsed());
  });
}

TEST_F(CleanupTest, R5_NothingIsDeliveredInAShieldInTheLibrarysDestructorsOrWhileUnwinding) {
  run([&] {
    std::string finished;
    auto task = create_task([&] {
      current_task().cancel();
      shield([&] {
        sleep(1s);
        finished += "shield;";
      });
      {
        // What destructors of the library do.
        const lowlevel::NoCancel library{lowlevel::enter_shielded("test")};
        sleep(1s);
        finished += "library;";
      }
      try {
        Finally unwinding{[&] {
          sleep(1s);
          finished += "unwinding;";
        }};
        throw std::runtime_error("of its own");
      } catch (const std::runtime_error&) {
      }
      checkpoint();
      ADD_FAILURE() << "it shows at the first call after them";
    });
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ("shield;library;unwinding;", finished);
    EXPECT_EQ(3s, elapsed());
  });
}

TEST_F(CleanupTest, R9_TheWayTheBodyEndsDecidesTheState) {
  run([] {
    const auto end_of = [](auto leave) {
      auto task = create_task([leave] {
        try {
          sleep(1h);
        } catch (const Cancelled&) {
          leave();
        }
      });
      settle();
      EXPECT_TRUE(task.cancel());
      settle();
      return task.state();
    };
    EXPECT_EQ(TaskState::cancelled, end_of([] { throw; }));
    EXPECT_EQ(TaskState::completed, end_of([] {}));
    auto failing = [] { throw std::runtime_error("cleanup failed"); };
    EXPECT_EQ(TaskState::failed, end_of(failing));
  });
  ASSERT_EQ(1u, reports.size()) << "nobody has looked at the failure";
  reports.clear();
}

TEST_F(CleanupTest, C31_CancelWhileSuchADestructorIsSuspendedIsNotDeliveredThere) {
  run([&] {
    bool cleaned = false;
    auto task = create_task([&] {
      // An ordinary exception is in flight: the cancel comes only now.
      try {
        Finally cleanup{[&] {
          sleep(1s);
          cleaned = true;
        }};
        throw std::runtime_error("first");
      } catch (const std::runtime_error&) {
      }
      EXPECT_TRUE(is_cancelled());
      checkpoint();
      ADD_FAILURE() << "the cancel is remembered and shows here";
    });
    settle();
    EXPECT_TRUE(task.cancel());
    settle();
    EXPECT_FALSE(task.is_done());
    EXPECT_EQ("timer", task.wait_reason());
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_TRUE(cleaned);
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(CleanupTest, C31_SecondCancelDuringTheUnwindIsHarmless) {
  run([&] {
    bool cleaned = false;
    auto task = create_task([&] {
      Finally cleanup{[&] {
        sleep(1s);
        cleaned = true;
      }};
      sleep(1h);
    });
    settle();
    task.cancel("first");
    settle();
    EXPECT_TRUE(task.cancel("second"));
    settle();
    EXPECT_FALSE(cleaned);
    try {
      await(task);
    } catch (const TaskCancelledException& error) {
      EXPECT_EQ("first", error.text());
    }
    EXPECT_TRUE(cleaned);
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(CleanupTest, C32_LibraryWaitOnTheNormalPathIsShieldedAndTheCancelShowsAfterIt) {
  run([&] {
    bool after = false;
    auto task = create_task([&] {
      {
        Finally library{[&] {
          // What destructors of the library do.
          const lowlevel::NoCancel shield{lowlevel::enter_shielded("test")};
          sleep(1s);
        }};
        current_task().cancel();
      }
      EXPECT_EQ(1s, elapsed());
      after = true;
      checkpoint();
      ADD_FAILURE() << "must be cancelled here";
    });
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_TRUE(after);
  });
}

TEST_F(CleanupTest, C33_TaskMadeWhileUnwindingWorksAndCanItselfBeCancelled) {
  std::string order;
  run([&] {
    auto task = create_task([&] {
      Finally cleanup{[&] {
        EXPECT_EQ(3, await(create_task([] {
                    sleep(1s);
                    return 3;
                  })));
        order += "worked;";
        auto child = create_task([] { sleep(1h); });
        yield();
        child.cancel();
        try {
          await(child);
        } catch (const TaskCancelledException&) {
          order += "cancelled;";
        }
      }};
      sleep(1h);
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
  });
  EXPECT_EQ("worked;cancelled;", order);
  EXPECT_EQ(1s, elapsed());
}

TEST_F(CleanupTest, C33_TaskMadeByACleanupAtTheEndOfRunWorksToo) {
  int result = 0;
  run([&] {
    create_task([&] {
      Finally cleanup{[&] {
        result = await(create_task([] {
          sleep(1s);
          return 3;
        }));
      }};
      sleep(1h);
    });
    settle();
  });
  EXPECT_EQ(3, result);
}

TEST_F(CleanupTest, C28_WhatTheBodyHeldMaySuspendWhenItGoesThoughACancelIsPending) {
  run([&] {
    struct SlowToGo {
      explicit SlowToGo(std::string& where) : gone(&where) {}
      SlowToGo(SlowToGo&& other) noexcept : gone(std::exchange(other.gone, nullptr)) {}
      ~SlowToGo() {
        if (gone == nullptr) return;
        sleep(1s);
        *gone = current_task().name();
      }
      std::string* gone;
    };
    std::string gone;
    auto task = create_task([held = SlowToGo{gone}] { current_task().cancel(); }, "returned");
    await(task);
    EXPECT_EQ(TaskState::completed, task.state());
    EXPECT_EQ("returned", gone);
  });
}

TEST_F(CleanupTest, StackUnwindsInOrderThroughManySuspensions) {
  std::vector<int> order;
  run([&] {
    auto task = create_task([&] {
      const std::function<void(int)> nest = [&](int depth) {
        Finally note{[&, depth] {
          if (depth % 7 == 0) yield();
          order.push_back(depth);
        }};
        if (depth == 0) {
          sleep(1h);
        } else {
          nest(depth - 1);
        }
      };
      nest(50);
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
  });
  ASSERT_EQ(51u, order.size());
  for (int i = 0; i < 51; ++i) EXPECT_EQ(i, order[static_cast<std::size_t>(i)]);
}

}  // namespace
}  // namespace asyncio::test

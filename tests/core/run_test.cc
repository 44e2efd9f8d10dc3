// run(): its result, its end, and what it does not carry over.
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/bare_waiter.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class RunTest : public LoopTest {};

// ---- Results ------------------------------------------------------------------------------------

TEST_F(RunTest, FreeRunReturnsWhatMainReturns) {
  EXPECT_EQ(5, asyncio::run([] { return 5; }));
  EXPECT_EQ("x", asyncio::run([] { return std::string{"x"}; }, RunOptions{}));
  EXPECT_EQ(7, *asyncio::run([] { return std::make_unique<int>(7); }));
  asyncio::run([] {});
}

TEST_F(RunTest, FreeRunRethrowsWhatMainThrows) {
  EXPECT_THROW(asyncio::run([] { throw std::out_of_range("far"); }), std::out_of_range);
  EXPECT_THROW(asyncio::run([] { throw 42; }), int);
}

TEST_F(RunTest, FreeRunTakesAMoveOnlyMain) {
  auto body = [value = std::make_unique<int>(3)] { return *value; };
  EXPECT_EQ(3, asyncio::run(std::move(body)));
}

TEST_F(RunTest, FreeRunThatIsOverGivesNobodyASlice) {
  constexpr int tasks = 3;
  for (int yields = 0; yields < 100; ++yields) {  // main ends at every place of a slice
    int turns = 0;
    int turns_when_main_ended = 0;
    asyncio::run([&] {
      for (int i = 0; i < tasks; ++i) {
        create_task([&] {
          for (;; yield()) ++turns;
        });
      }
      for (int i = 0; i < yields; ++i) yield();
      turns_when_main_ended = turns;
    });
    EXPECT_LE(turns, turns_when_main_ended + tasks) << yields << " yields";
  }
}

TEST_F(RunTest, FreeRunThatIsOverLetsTheBatchHaveItsTurn) {
  int turns = 0;
  asyncio::run([&] {
    Event main_may_end;
    Event others_may_go_on;
    create_task([&] {
      others_may_go_on.wait();
      for (;; yield()) ++turns;
    });
    call_soon([&] {  // main is ready first
      main_may_end.set();
      others_may_go_on.set();
    });
    main_may_end.wait();
    EXPECT_EQ(0, turns);
  });
  EXPECT_LE(turns, 2);  // the rest of its batch, and where it hears of its cancellation
}

TEST_F(RunTest, FreeRunUsesTheBackendItIsToldTo) {
  for (const std::string& name : available_backends()) {
    if (name != "ev" && name != "event" && name != "select") continue;  // some other test's
    EXPECT_EQ(name, asyncio::run([] { return std::string{get_event_loop().backend().type()}; },
                                 RunOptions{.backend = name}));
  }
  EXPECT_THROW(asyncio::run([] {}, RunOptions{.backend = "abacus"}), BackendError);
}

TEST_F(RunTest, FreeRunPassesItsOptionsOn) {
  TestClock virtual_time;
  asyncio::run(
      [] {
        sleep(1h);
        EXPECT_EQ(128u << 10, current_task().stats().stack_size);
      },
      RunOptions{.stack_size = 128 << 10, .clock = &virtual_time});
  EXPECT_EQ(1h, virtual_time.elapsed());
}

TEST_F(RunTest, MainThatEndsCancelledThrowsWhoAndWhy) {
  try {
    run([] {
      current_task().cancel("enough");
      checkpoint();
    });
    FAIL() << "must throw";
  } catch (const TaskCancelledException& error) {
    EXPECT_EQ(CancelReason::user, error.reason());
    EXPECT_EQ("enough", error.text());
    EXPECT_EQ("main", error.source());
  }
}

// ---- Deadlock -----------------------------------------------------------------------------------

TEST_F(RunTest, S33_BlockedForEverIsADeadlockErrorListingEveryTask) {
  const std::string message = message_of<DeadlockError>([&] {
    run([] {
      create_task([] { wait_for_nothing(); }, "vladimir");
      auto estragon = create_task([] { wait_for_nothing(); }, "estragon");
      await(estragon);
    });
  });
  EXPECT_TRUE(contains(message, "task 'main'")) << message;
  EXPECT_TRUE(contains(message, "waits for: task 'estragon'")) << message;
  EXPECT_TRUE(contains(message, "task 'vladimir'")) << message;
  EXPECT_TRUE(contains(message, "waits for: event\n      at ")) << message;
}

TEST_F(RunTest, S33_DeadlockUnwindsTheTasksAndTheLoopWorksAfterwards) {
  bool unwound = false;
  EXPECT_THROW(run([&] {
                 struct Cleanup {
                   bool& flag;
                   ~Cleanup() { flag = true; }
                 } cleanup{unwound};
                 wait_for_nothing();
               }),
               DeadlockError);
  EXPECT_TRUE(unwound);
  EXPECT_EQ(0u, loop().statistics().tasks_alive);
  EXPECT_EQ(1, run([] { return 1; }));
}

TEST_F(RunTest, S33_DeadlockThatAFreeRunReportsToo) {
  EXPECT_THROW(asyncio::run([] { wait_for_nothing(); }), DeadlockError);
}

TEST_F(RunTest, S33_RunWithoutAMainReportsBlockedTasksToo) {
  auto task = loop().create_task([] { wait_for_nothing(); }, "pozzo");
  const std::string message = message_of<DeadlockError>([&] { loop().run(); });
  EXPECT_TRUE(contains(message, "task 'pozzo'")) << message;
  EXPECT_EQ(TaskState::running, task.state());
  task.cancel();
  loop().run();
  EXPECT_EQ(TaskState::cancelled, task.state());
}

TEST_F(RunTest, S33_WaitForAPostFromAHandleIsNoDeadlock) {
  std::thread poster;
  run([&] {
    BareWaiter waiter;
    poster = std::thread{[handle = loop().handle(), &waiter] {
      std::this_thread::sleep_for(5ms);
      handle.call_soon_threadsafe([&waiter] { lowlevel::wake(waiter); });
    }};
    EXPECT_EQ(lowlevel::Wake::completed, lowlevel::enter("the test").suspend(waiter));
  });
  poster.join();
}

// ---- Nesting and repetition ---------------------------------------------------------------------

TEST_F(RunTest, S41_RunInsideATaskIsAnErrorAndTheOuterLoopGoesOn) {
  run([&] {
    bool inner_ran = false;
    const std::string message =
        message_of<NestedRunError>([&] { asyncio::run([&] { inner_ran = true; }); });
    EXPECT_TRUE(contains(message, "asyncio::run cannot be called while an event loop runs"))
        << message;
    EXPECT_THROW(loop().run([&] { inner_ran = true; }), NestedRunError);
    EXPECT_THROW(loop().run(), NestedRunError);
    EventLoop other{make_backend("auto"), {}};
    EXPECT_THROW(other.run([&] { inner_ran = true; }), NestedRunError) << "also of another loop";
    EXPECT_THROW(other.run(), NestedRunError);
    EXPECT_FALSE(inner_ran);
    EXPECT_EQ(2, await(create_task([] {
                sleep(1s);
                return 2;
              })));
    EXPECT_EQ(&loop(), &get_event_loop());
  });
}

TEST_F(RunTest, S41_RunInsideACallbackIsAnErrorAndTheOuterLoopGoesOn) {
  run([&] {
    int errors = 0;
    call_soon([&] {
      EXPECT_THROW(asyncio::run([] {}), NestedRunError);
      EXPECT_THROW(loop().run([] {}), NestedRunError);
      errors = 2;
    });
    settle();
    EXPECT_EQ(2, errors);
    EXPECT_EQ(2, await(create_task([] { return 2; })));
  });
}

TEST_F(RunTest, S42_RunTwiceAlsoAfterAThrowingRun) {
  EXPECT_EQ(1, run([] { return 1; }));
  EXPECT_THROW(run([] { throw std::runtime_error("once"); }), std::runtime_error);
  EXPECT_EQ(2, run([] {
              sleep(1s);
              return 2;
            }));
  EXPECT_THROW(run([] {
                 current_task().cancel();
                 checkpoint();
               }),
               TaskCancelledException);
  EXPECT_EQ(3, run([] { return await(create_task([] { return 3; })); }));
  EXPECT_EQ(TaskState::pending, run([] { return create_task([] {}).state(); }))
      << "the root is no longer cancelled";
}

TEST_F(RunTest, S42_FreeRunTwiceAlsoAfterAThrowingRun) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_THROW(asyncio::run([] { throw std::runtime_error("x"); }), std::runtime_error);
    EXPECT_EQ(i, asyncio::run([&] { return i; }));
    EXPECT_THROW(get_event_loop(), NoRunningLoopError);
  }
}

TEST_F(RunTest, S42_NothingOfAnEndedRunShowsUpInTheNext) {
  run([&] {
    loop().call_later(1h, [] {});
    create_task([] { sleep(1h); }, "leftover");
    settle();
  });
  run([&] {
    EXPECT_EQ((std::vector<AnyTask>{current_task()}), loop().tasks());
    EXPECT_FALSE(is_cancelled());
  });
  // A callback timer belongs to the loop, not to the run.
  EXPECT_EQ(1u, loop().statistics().timers);
  run();
}

TEST_F(RunTest, S43_RunInTwoThreadsAtOnceMeansTwoLoops) {
  std::mutex mutex;
  std::condition_variable both;
  int arrived = 0;
  EventLoop* seen[2] = {nullptr, nullptr};
  const auto body = [&](int me) {
    asyncio::run([&, me] {
      seen[me] = &get_event_loop();
      to_thread([&] {  // neither goes on before both run
        std::unique_lock lock{mutex};
        ++arrived;
        both.notify_all();
        both.wait(lock, [&] { return arrived == 2; });
      });
      std::vector<Task<int>> tasks;
      for (int i = 0; i < 100; ++i) {
        tasks.push_back(create_task([i] {
          for (int turn = 0; turn < 10; ++turn) yield();
          sleep(1ms);
          return i;
        }));
      }
      for (int i = 0; i < 100; ++i) EXPECT_EQ(i, await(tasks[static_cast<std::size_t>(i)]));
      EXPECT_EQ(1u, get_event_loop().statistics().tasks_alive);
    });
  };
  std::thread other{body, 1};
  body(0);
  other.join();
  EXPECT_NE(seen[0], seen[1]);
}

TEST_F(RunTest, LoopMadeOnOneThreadMayRunOnAnother) {
  loop().create_task([] {});
  std::thread{[&] {
    EXPECT_EQ(4, run([] {
                sleep(1s);
                return await(create_task([] { return 4; }));
              }));
  }}.join();
}

// ---- Leftovers ----------------------------------------------------------------------------------

TEST_F(RunTest, S44_LeftoversAreCancelledAndJoinedAndMainsValueReturned) {
  bool unwound = false;
  Task<void> leftover;
  EXPECT_EQ(8, run([&] {
              leftover = create_task([&] {
                struct Cleanup {
                  bool& flag;
                  ~Cleanup() {
                    sleep(1s);  // a cleanup may suspend: run() waits for it
                    flag = true;
                  }
                } cleanup{unwound};
                sleep(1h);
              });
              settle();
              return 8;
            }));
  EXPECT_TRUE(unwound);
  EXPECT_EQ(TaskState::cancelled, leftover.state());
  EXPECT_EQ(1s, elapsed());
  try {
    leftover.result();
    FAIL() << "must throw";
  } catch (const TaskCancelledException& error) {
    EXPECT_EQ(CancelReason::shutdown, error.reason());
  }
}

TEST_F(RunTest, S44_FailingLeftoverGoesToTheHandlerAndMainsValueIsReturned) {
  EXPECT_EQ(8, run([] {
              create_task(
                  [] {
                    try {
                      sleep(1h);
                    } catch (const Cancelled&) {
                      throw std::runtime_error("could not save");
                    }
                  },
                  "saver");
              settle();
              return 8;
            }));
  ASSERT_EQ(1u, reports.size());
  EXPECT_TRUE(contains(reports[0], "'saver'")) << reports[0];
  EXPECT_TRUE(contains(reports[0], "could not save")) << reports[0];
  reports.clear();
}

TEST_F(RunTest, S44_FailingLeftoverWhoseHandleLivesIsReportedToo) {
  Task<void> kept;
  run([&] {
    kept = create_task([] {
      try {
        sleep(1h);
      } catch (const Cancelled&) {
        throw std::runtime_error("kept");
      }
    });
    settle();
  });
  EXPECT_EQ(1u, reports.size());
  reports.clear();
  EXPECT_THROW(kept.result(), std::runtime_error);
}

TEST_F(RunTest, S44_LeftoverThatWasNeverStartedNeverRuns) {
  bool ran = false;
  run([&] { create_task([&] { ran = true; }); });
  EXPECT_FALSE(ran);
}

TEST_F(RunTest, S44_TaskMadeByALeftoversCleanupIsBornCancelled) {
  bool ran = false;
  run([&] {
    create_task([&] {
      try {
        sleep(1h);
      } catch (const Cancelled&) {
        create_task([&] { ran = true; });
        throw;
      }
    });
    settle();
  });
  EXPECT_FALSE(ran);
}

TEST_F(RunTest, S45_MainsExceptionWinsOverThoseOfLeftovers) {
  EXPECT_THROW(run([] {
                 create_task([] {
                   try {
                     sleep(1h);
                   } catch (const Cancelled&) {
                     throw std::out_of_range("leftover's");
                   }
                 });
                 settle();
                 throw std::runtime_error("main's");
               }),
               std::runtime_error);
  ASSERT_EQ(1u, reports.size());
  EXPECT_TRUE(contains(reports[0], "leftover's")) << reports[0];
  reports.clear();
}

TEST_F(RunTest, S46_StopInATaskEndsTheRunAfterUnwindingWithAnError) {
  bool unwound = false;
  bool went_on = false;
  const std::string message = message_of<InvalidStateError>([&] {
    run([&] {
      create_task([&] {
        loop().stop();
        yield();  // the slice goes on until here
        checkpoint();
        went_on = true;
      });
      struct Cleanup {
        bool& flag;
        ~Cleanup() { flag = true; }
      } cleanup{unwound};
      sleep(1h);
      ADD_FAILURE() << "main must not go on";
    });
  });
  EXPECT_TRUE(contains(message, "stop() was called before main had ended")) << message;
  EXPECT_TRUE(unwound);
  EXPECT_EQ(Duration::zero(), elapsed());
  EXPECT_FALSE(went_on) << "its next suspending call cancels it";
  EXPECT_EQ(3, run([] { return 3; })) << "a stop ends one run, not two";
}

TEST_F(RunTest, S46_StopByMainInItsLastSliceIsNoError) {
  EXPECT_EQ(5, run([&] {
              loop().stop();
              return 5;
            }));
  EXPECT_EQ(6, run([] {
              sleep(1s);
              return 6;
            }));
}

TEST_F(RunTest, S46_StopFromAnotherThread) {
  std::thread stopper;
  EXPECT_THROW(run([&] {
                 stopper = std::thread{[&] { loop().stop(); }};
                 const LoopHandle keeps_waiting = loop().handle();
                 wait_for_nothing();
               }),
               InvalidStateError);
  stopper.join();
}

// ---- The process --------------------------------------------------------------------------------

[[noreturn]] void exit_inside_a_task() {
  asyncio::run([] {
    create_task([] { sleep(1h); });
    yield();
    std::atexit([] {
      std::fputs("handler ran\n", stderr);
      std::_Exit(7);
    });
    std::exit(6);
  });
  std::_Exit(1);
}

TEST(RunDeathTest, S47_ExitInsideATaskRunsTheHandlersAndEndsTheProcess) {
  EXPECT_EXIT(exit_inside_a_task(), testing::ExitedWithCode(7), "handler ran");
}

}  // namespace
}  // namespace asyncio::test

// Task groups: joining, failing together, and never outliving their owner.
#include <algorithm>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class TaskGroupTest : public LoopTest {};

// What a call failed with, as "{b,c}" for a group of two; "" if it returned.
template <class F>
std::string failure_of(F&& call) {
  try {
    call();
  } catch (const std::exception&) {
    return message_of(std::current_exception());
  } catch (const Cancelled&) {
    return "Cancelled";
  }
  return "";
}

auto failing(const char* message) {
  return [message] { throw std::runtime_error(message); };
}

// Sleeps until it is cancelled, then fails.
auto failing_in_cleanup(const char* message) {
  return [message] {
    try {
      sleep(1h);
    } catch (const Cancelled&) {
      throw std::runtime_error(message);
    }
  };
}

// Sleeps until it is cancelled, then needs `time` to clean up.
auto slow_cleanup(Duration time, bool& cleaned) {
  return [time, &cleaned] {
    try {
      sleep(1h);
    } catch (const Cancelled&) {
      shield([&] { sleep(time); });
      cleaned = true;
      throw;
    }
  };
}

void forever() { sleep(1h); }

// ---- Joining ------------------------------------------------------------------------------------

TEST_F(TaskGroupTest, GivesTasksAndJoinsThem) {
  run([&] {
    TaskGroup group;
    auto one = group.spawn(
        [] {
          sleep(1s);
          return 1;
        },
        "one");
    auto two = group.spawn([] {
      sleep(2s);
      return std::string{"two"};
    });
    EXPECT_EQ("one", one.name());
    EXPECT_EQ(2u, group.task_count());
    EXPECT_EQ((std::vector<AnyTask>{one, two}), group.tasks());
    EXPECT_FALSE(group.is_closed());
    group.wait_all();
    EXPECT_EQ(2s, elapsed());
    EXPECT_EQ(1, one.result());
    EXPECT_EQ("two", two.result());
    EXPECT_EQ(0u, group.task_count());
    EXPECT_TRUE(group.tasks().empty());
    EXPECT_TRUE(group.is_closed());
    EXPECT_FALSE(group.is_cancelled());
  });
}

TEST_F(TaskGroupTest, RunJoinsAndGivesTheBodysResult) {
  run([&] {
    Task<int> child;
    EXPECT_EQ(7, TaskGroup::run([&](TaskGroup& group) {
                child = group.spawn([] {
                  sleep(1s);
                  return 1;
                });
                return 7;
              }));
    EXPECT_TRUE(child.is_done());
    EXPECT_EQ(1, child.result());
    EXPECT_EQ(8, *TaskGroup::run([](TaskGroup&) { return std::make_unique<int>(8); }));
    int place = 0;
    EXPECT_EQ(&place, &TaskGroup::run([&](TaskGroup&) -> int& { return place; }));
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(TaskGroupTest, OutsideATaskItIsAnError) {
  EXPECT_THROW(TaskGroup{}, NotInTaskError);
  EXPECT_THROW(TaskGroup::run([](TaskGroup&) {}), NotInTaskError);
  run([] {
    bool checked = false;
    call_soon([&] {
      EXPECT_THROW(TaskGroup{}, NotInTaskError);
      checked = true;
    });
    settle();
    EXPECT_TRUE(checked);
  });
}

TEST_F(TaskGroupTest, S1_WithoutChildrenWaitAllReturnsAtOnceAndClosesTheGroup) {
  run([] {
    TaskGroup group;
    {
      const ExpectNoSuspend at_once;
      group.wait_all();
    }
    EXPECT_TRUE(group.is_closed());
    EXPECT_THROW(group.spawn([] {}), InvalidStateError);
    group.wait_all();  // again is fine
  });
}

TEST_F(TaskGroupTest, S1_WithoutChildrenWaitAllIsACheckpoint) {
  run([] {
    auto task = create_task([] {
      TaskGroup group;
      current_task().cancel();
      group.wait_all();
    });
    EXPECT_THROW(await(task), TaskCancelledException);
  });
}

// ---- Failing ------------------------------------------------------------------------------------

TEST_F(TaskGroupTest, S2_FailureCancelsTheSiblingsAndOnlyItIsListed) {
  run([&] {
    TaskGroup group;
    bool cleaned = false;
    std::optional<CancelReason> reason;
    auto a = group.spawn(slow_cleanup(1s, cleaned));
    auto b = group.spawn([] {
      sleep(1s);
      throw std::runtime_error("b");
    });
    auto c = group.spawn([&] {
      try {
        sleep(1h);
      } catch (const Cancelled& cancelled) {
        reason = cancelled.reason();
        throw;
      }
    });
    EXPECT_EQ("{b}", failure_of([&] { group.wait_all(); }));
    EXPECT_TRUE(cleaned);
    EXPECT_EQ(2s, elapsed()) << "the cleanup was waited for";
    EXPECT_EQ(TaskState::cancelled, a.state());
    EXPECT_EQ(TaskState::failed, b.state());
    EXPECT_EQ(TaskState::cancelled, c.state());
    EXPECT_EQ(CancelReason::sibling_failed, reason);
    EXPECT_TRUE(group.is_cancelled());
    group.wait_all();  // a failure is thrown once
    checkpoint();
  });
}

TEST_F(TaskGroupTest, S3_FailuresOfTheSameTurnAndOfCleanupsAreAllListedInOrder) {
  keep_order();
  run([] {
    TaskGroup group;
    const auto fail_after_a_second = [](const char* name) {
      return [name] {
        sleep(1s);
        throw std::runtime_error(name);
      };
    };
    group.spawn(failing_in_cleanup("a"));
    group.spawn(fail_after_a_second("b"));
    group.spawn(fail_after_a_second("c"));
    EXPECT_EQ("{b,c,a}", failure_of([&] { group.wait_all(); }));
  });
}

TEST_F(TaskGroupTest, S4_FailureBeforeWaitAllIsReportedByIt) {
  run([] {
    TaskGroup group;
    auto sibling = group.spawn(forever);
    group.spawn(failing("early"));
    settle();
    EXPECT_EQ(TaskState::cancelled, sibling.state()) << "not only once somebody waits";
    EXPECT_EQ(0u, group.task_count());
    checkpoint();  // the owner of a group that is an object is not interrupted
    EXPECT_EQ("{early}", failure_of([&] { group.wait_all(); }));
  });
}

TEST_F(TaskGroupTest, S4_RunInterruptsTheBodyWhereverItIsBlocked) {
  run([&] {
    std::optional<CancelReason> reason;
    EXPECT_EQ("{child}", failure_of([&] {
                TaskGroup::run([&](TaskGroup& group) {
                  group.spawn([] {
                    sleep(1s);
                    throw std::runtime_error("child");
                  });
                  Event never;
                  try {
                    never.wait();
                  } catch (const Cancelled& cancelled) {
                    reason = cancelled.reason();
                    throw;
                  }
                });
              }));
    EXPECT_EQ(CancelReason::sibling_failed, reason);
    EXPECT_EQ(1s, elapsed());
    checkpoint();  // nothing sticks
  });
}

TEST_F(TaskGroupTest, S4_RunReportsAFailureTheBodySwallowed) {
  run([] {
    EXPECT_EQ("{child}", failure_of([] {
                TaskGroup::run([](TaskGroup& group) {
                  group.spawn(failing("child"));
                  EXPECT_THROW(sleep(1h), Cancelled);
                });
              }));
    checkpoint();
  });
}

TEST_F(TaskGroupTest, S5_FailureOfTheBodyCancelsTheChildrenAndComesFirst) {
  run([&] {
    bool cleaned = false;
    Task<void> quiet;
    EXPECT_EQ("{body,child}", failure_of([&] {
                TaskGroup::run([&](TaskGroup& group) {
                  quiet = group.spawn(slow_cleanup(1s, cleaned));
                  group.spawn(failing_in_cleanup("child"));
                  settle();
                  throw std::runtime_error("body");
                });
              }));
    EXPECT_TRUE(cleaned);
    EXPECT_EQ(TaskState::cancelled, quiet.state());
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(TaskGroupTest, S5_FailureOfTheBodyAloneIsAGroupOfOne) {
  run([] {
    try {
      TaskGroup::run([](TaskGroup&) { throw std::out_of_range("body"); });
      ADD_FAILURE() << "must throw";
    } catch (const ExceptionGroup& group) {
      ASSERT_EQ(1u, group.exceptions().size());
      EXPECT_THROW(std::rethrow_exception(group.exceptions()[0]), std::out_of_range);
      EXPECT_NE(std::string::npos, std::string{group.what()}.find("body")) << group.what();
    }
  });
}

TEST_F(TaskGroupTest, S6_ChildCancelledByItselfIsNoErrorAndItsSiblingsGoOn) {
  run([&] {
    TaskGroup group;
    auto cancelled = group.spawn(forever);
    auto sibling = group.spawn([] {
      sleep(1s);
      return 1;
    });
    settle();
    cancelled.cancel();
    group.wait_all();
    EXPECT_EQ(TaskState::cancelled, cancelled.state());
    EXPECT_EQ(1, sibling.result());
    EXPECT_FALSE(group.is_cancelled());
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(TaskGroupTest, S7_ChildThatRethrowsASiblingsFailureIsListedToo) {
  run([] {
    TaskGroup group;
    Task<void> source;
    group.spawn([&] { await(source); });
    source = group.spawn([] {
      sleep(1s);
      throw std::runtime_error("shared");
    });
    try {
      group.wait_all();
      ADD_FAILURE() << "must throw";
    } catch (const ExceptionGroup& error) {
      ASSERT_EQ(2u, error.exceptions().size());
      EXPECT_EQ(error.exceptions()[0], error.exceptions()[1]) << "the very same object, twice";
    }
  });
}

// ---- Spawning -----------------------------------------------------------------------------------

TEST_F(TaskGroupTest, S8_ChildrenMaySpawnWhileTheOwnerWaits) {
  run([&] {
    TaskGroup group;
    int ended = 0;
    struct Hydra {
      TaskGroup& group;
      int& ended;
      int depth;
      void operator()() const {
        sleep(1s);
        if (depth > 0) {
          group.spawn(Hydra{group, ended, depth - 1});
          group.spawn(Hydra{group, ended, depth - 1});
        }
        ++ended;
      }
    };
    group.spawn(Hydra{group, ended, 4});
    group.wait_all();
    EXPECT_EQ(31, ended);
    EXPECT_EQ(5s, elapsed());
  });
}

TEST_F(TaskGroupTest, S8_SpawnIntoAClosedGroupIsAnErrorAndTheBodyIsDestroyed) {
  run([] {
    const auto token = std::make_shared<int>(0);
    TaskGroup group;
    auto earlier = group.spawn([] {
      sleep(1s);
      return 1;
    });
    group.close();
    EXPECT_TRUE(group.is_closed());
    EXPECT_THROW(group.spawn([token] { ADD_FAILURE() << "must not run"; }), InvalidStateError);
    EXPECT_EQ(1, token.use_count());
    EXPECT_EQ(1u, group.task_count());
    group.wait_all();
    EXPECT_EQ(1, earlier.result()) << "close() cancels nothing";
    EXPECT_THROW(group.spawn([token] { ADD_FAILURE() << "must not run"; }), InvalidStateError);
    EXPECT_EQ(1, token.use_count());
  });
}

TEST_F(TaskGroupTest, S8_SpawnIntoAFailedGroupIsAnErrorAndTheBodyIsDestroyed) {
  run([] {
    const auto token = std::make_shared<int>(0);
    TaskGroup group;
    bool cleaned = false;
    group.spawn(slow_cleanup(1s, cleaned));
    settle();
    group.spawn(failing("child"));
    settle();
    EXPECT_EQ(1u, group.task_count()) << "one is still cleaning up";
    EXPECT_THROW(group.spawn([token] { ADD_FAILURE() << "must not run"; }), InvalidStateError);
    EXPECT_EQ(1, token.use_count());
    EXPECT_EQ("{child}", failure_of([&] { group.wait_all(); }));
  });
}

TEST_F(TaskGroupTest, S8_SpawnIntoACancelledGroupIsBornCancelledAndTheBodyDestroyed) {
  run([] {
    const auto token = std::make_shared<int>(0);
    TaskGroup group;
    group.cancel();
    auto born = group.spawn([token] { ADD_FAILURE() << "must not run"; });
    group.wait_all();
    EXPECT_EQ(TaskState::cancelled, born.state());
    EXPECT_EQ(1, token.use_count());
  });
}

TEST_F(TaskGroupTest, S9_SpawnFromAnotherThreadOrLoopIsAnError) {
  run([] {
    const auto token = std::make_shared<int>(0);
    TaskGroup group;
    std::thread{[&] {
      EXPECT_THROW(group.spawn([token] { ADD_FAILURE() << "must not run"; }), InvalidStateError);
      asyncio::run([&] {
        EXPECT_THROW(group.spawn([token] { ADD_FAILURE() << "must not run"; }), InvalidStateError);
      });
    }}.join();
    EXPECT_EQ(1, token.use_count());
    EXPECT_EQ(0u, group.task_count());
    auto child = group.spawn([] { return 1; });
    group.wait_all();
    EXPECT_EQ(1, child.result());
  });
}

TEST_F(TaskGroupTest, S9_SpawnIntoAGroupOfAnEarlierLoopOfThisThreadIsAnError) {
  std::unique_ptr<TaskGroup> group;
  run([&] { group = std::make_unique<TaskGroup>(); });
  asyncio::run([&] {
    EXPECT_THROW(group->spawn([] { ADD_FAILURE() << "must not run"; }), InvalidStateError);
  });
}

// ---- Nesting ------------------------------------------------------------------------------------

TEST_F(TaskGroupTest, S10_FailureOfAnInnerGroupIsAGroupInsideTheOuters) {
  run([] {
    EXPECT_EQ("{{inner}}", failure_of([] {
                TaskGroup::run([](TaskGroup& outer) {
                  outer.spawn([] {
                    TaskGroup::run([](TaskGroup& inner) { inner.spawn(failing("inner")); });
                  });
                });
              }));
    EXPECT_EQ("{{inner}}", failure_of([] {
                TaskGroup::run([](TaskGroup&) {
                  TaskGroup::run([](TaskGroup& inner) { inner.spawn(failing("inner")); });
                });
              }))
        << "in the body itself, likewise";
  });
}

TEST_F(TaskGroupTest, S10_FailureOfTheOuterCancelsTheInnerAndOnlyItShows) {
  run([] {
    Task<void> innermost;
    EXPECT_EQ("{outer}", failure_of([&] {
                TaskGroup::run([&](TaskGroup& outer) {
                  outer.spawn([] {
                    sleep(1s);
                    throw std::runtime_error("outer");
                  });
                  TaskGroup::run([&](TaskGroup& inner) {
                    innermost = inner.spawn(forever);
                    sleep(1h);
                  });
                  ADD_FAILURE() << "the inner group must not absorb it";
                });
              }));
    EXPECT_EQ(TaskState::cancelled, innermost.state());
    checkpoint();
  });
}

TEST_F(TaskGroupTest, S10_FailureOfTheOuterInterruptsTheInnersJoin) {
  run([&] {
    bool went_on = false;
    EXPECT_EQ("{outer}", failure_of([&] {
                TaskGroup::run([&](TaskGroup& outer) {
                  outer.spawn([] {
                    sleep(1s);
                    throw std::runtime_error("outer");
                  });
                  TaskGroup::run([](TaskGroup& inner) { inner.spawn(forever); });
                  went_on = true;
                });
              }));
    EXPECT_FALSE(went_on) << "a join that was cancelled ends by the unwind";
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(TaskGroupTest, S11_BothOuterAndInnerFailEachReportsItsOwnAndNoCancelSticks) {
  run([&] {
    EXPECT_EQ("{outer,{inner}}", failure_of([] {
                TaskGroup::run([](TaskGroup& outer) {
                  TaskGroup::run([&](TaskGroup& inner) {
                    inner.spawn(failing_in_cleanup("inner"));
                    outer.spawn([] {
                      sleep(1s);
                      throw std::runtime_error("outer");
                    });
                    sleep(1h);
                  });
                });
              }));
    checkpoint();
    sleep(1s);
    EXPECT_EQ(2s, elapsed());
  });
}

TEST_F(TaskGroupTest, S11_BothCancelledEachAbsorbsItsOwn) {
  run([] {
    for (const bool inner_first : {true, false}) {
      bool inner_went_on = false;
      EXPECT_THROW(TaskGroup::run([&](TaskGroup& outer) {
                     try {
                       TaskGroup::run([&](TaskGroup& inner) {
                         inner.spawn(forever);
                         outer.spawn(forever);
                         settle();
                         (inner_first ? inner : outer).cancel();
                         (inner_first ? outer : inner).cancel();
                         sleep(1h);
                       });
                     } catch (const TaskCancelledException&) {
                       inner_went_on = true;
                     }
                   }),
                   TaskCancelledException);
      EXPECT_FALSE(inner_went_on) << "while the outer one is cancelled, the unwind is its own";
      checkpoint();
    }
  });
}

// ---- Ending without wait_all --------------------------------------------------------------------

TEST_F(TaskGroupTest, S12_DestroyedItCancelsAndJoins) {
  run([&] {
    bool cleaned = false;
    Task<void> child;
    std::optional<CancelReason> reason;
    {
      TaskGroup group;
      child = group.spawn(slow_cleanup(1s, cleaned));
      group.spawn([&] {
        try {
          sleep(1h);
        } catch (const Cancelled& cancelled) {
          reason = cancelled.reason();
          throw;
        }
      });
      settle();
    }
    EXPECT_TRUE(cleaned);
    EXPECT_EQ(TaskState::cancelled, child.state());
    EXPECT_EQ(CancelReason::abandoned, reason);
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(TaskGroupTest, S12_DestroyedItsFailuresGoToTheHandler) {
  run([] {
    TaskGroup group;
    group.spawn(failing_in_cleanup("late"));
    settle();
    group.spawn(failing("early"));
    settle();
  });
  ASSERT_EQ(2u, reports.size());
  EXPECT_NE(std::string::npos, reports[0].find("early")) << reports[0];
  EXPECT_NE(std::string::npos, reports[1].find("late")) << reports[1];
  reports.clear();
}

TEST_F(TaskGroupTest, S12_DestroyedByAnUnwindItJoinsShielded) {
  run([&] {
    bool cleaned = false;
    auto owner = create_task([&] {
      TaskGroup group;
      group.spawn(slow_cleanup(1s, cleaned));
      sleep(1h);
    });
    settle();
    owner.cancel();
    EXPECT_THROW(await(owner), TaskCancelledException);
    EXPECT_TRUE(cleaned);
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(TaskGroupTest, S12_DestroyedByAnExceptionTheExceptionGoesOn) {
  run([&] {
    EXPECT_EQ("owner", failure_of([] {
                TaskGroup group;
                group.spawn(failing_in_cleanup("child"));
                settle();
                throw std::runtime_error("owner");
              }));
    ASSERT_EQ(1u, reports.size());
    EXPECT_NE(std::string::npos, reports[0].find("child")) << reports[0];
    reports.clear();
  });
}

TEST_F(TaskGroupTest, S12_CancelDuringTheJoinOfTheDestructorShowsAfterIt) {
  run([&] {
    bool went_on = false;
    auto owner = create_task([&] {
      {
        bool cleaned = false;
        TaskGroup group;
        group.spawn(slow_cleanup(2s, cleaned));
        settle();
      }
      went_on = true;
      checkpoint();
      ADD_FAILURE() << "must throw";
    });
    sleep(1s);
    owner.cancel();
    EXPECT_THROW(await(owner), TaskCancelledException);
    EXPECT_TRUE(went_on);
    EXPECT_EQ(2s, elapsed());
  });
}

TEST_F(TaskGroupTest, S12_DestroyedInACallbackItCancelsWithoutWaiting) {
  run([&] {
    bool cleaned = false;
    auto group = std::make_unique<TaskGroup>();
    auto child = group->spawn(slow_cleanup(1s, cleaned));
    settle();
    call_soon([&] { group.reset(); });
    settle();
    EXPECT_EQ(nullptr, group);
    EXPECT_FALSE(child.is_done());
    EXPECT_THROW(await(child), TaskCancelledException);
    EXPECT_TRUE(cleaned);
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(TaskGroupTest, S13_OutlivingItsScopeItIsCancelledAndJoinedWithIt) {
  run([&] {
    std::unique_ptr<TaskGroup> group;
    bool cleaned = false;
    Task<void> child;
    CancellationScope::run([&] {
      group = std::make_unique<TaskGroup>();
      child = group->spawn(slow_cleanup(1s, cleaned));
      settle();
    });
    EXPECT_TRUE(cleaned);
    EXPECT_EQ(TaskState::cancelled, child.state());
    EXPECT_EQ(1s, elapsed());
    EXPECT_TRUE(group->is_closed());
    EXPECT_THROW(group->spawn([] { ADD_FAILURE() << "must not run"; }), InvalidStateError);
    group->cancel();
    group->wait_all();
  });
}

TEST_F(TaskGroupTest, S13_OutlivingItsTaskItIsCancelledAndJoinedWithIt) {
  run([&] {
    std::unique_ptr<TaskGroup> group;
    bool cleaned = false;
    await(create_task([&] {
      group = std::make_unique<TaskGroup>();
      group->spawn(slow_cleanup(1s, cleaned));
      settle();
    }));
    EXPECT_TRUE(cleaned);
    EXPECT_THROW(group->spawn([] { ADD_FAILURE() << "must not run"; }), InvalidStateError);
    group->wait_all();
  });
}

TEST_F(TaskGroupTest, S13_OutlivingItsLoopItIsInert) {
  std::unique_ptr<TaskGroup> group;
  run([&] {
    group = std::make_unique<TaskGroup>();
    group->spawn(forever);
  });
  end_loop();
  group->cancel();
  EXPECT_EQ(0u, group->task_count());
  EXPECT_TRUE(group->is_closed());
  group.reset();
}

TEST_F(TaskGroupTest, S13_FailuresOfAGroupThatOutlivesItsScopeAreReportedWithTheScopesEnd) {
  std::unique_ptr<TaskGroup> group;
  std::string reported;
  run([&] {
    get_event_loop().set_exception_handler(
        [&](const ExceptionContext& context) { reported += message_of(context.exception); });
    CancellationScope::run([&] {
      group = std::make_unique<TaskGroup>();
      group->spawn(failing_in_cleanup("late"));
      settle();
    });
    EXPECT_EQ("late", reported);
  });
  end_loop();
  group.reset();
  EXPECT_EQ("late", reported) << "once";
}

TEST_F(TaskGroupTest, S13_FailuresOfAGroupThatOutlivesItsLoopAreReportedBeforeItsEnd) {
  std::unique_ptr<TaskGroup> group;
  run([&] {
    group = std::make_unique<TaskGroup>();
    group->spawn(failing_in_cleanup("late"));
    settle();
  });
  end_loop();
  EXPECT_EQ(1u, reports.size());
  reports.clear();
  group.reset();
}

TEST_F(TaskGroupTest, S13_CancelOfTheEnclosingScopeReachesTheChildren) {
  run([] {
    Task<void> child;
    EXPECT_FALSE(CancellationScope::try_run([&](CancellationScope& scope) {
      TaskGroup group;
      child = group.spawn(forever);
      settle();
      scope.cancel();
      EXPECT_TRUE(group.is_cancelled());
      group.wait_all();
    }));
    EXPECT_EQ(TaskState::cancelled, child.state());
  });
}

TEST_F(TaskGroupTest, S14_ChildrenAreLetGoAsTheyFinish) {
  run([&] {
    struct Counted {
      explicit Counted(int& n) : living(&n) { ++*living; }
      Counted(const Counted& other) : living(other.living) { ++*living; }
      ~Counted() { --*living; }
      int* living;
    };
    int living = 0;
    TaskGroup group;
    for (int i = 0; i < 10'000; ++i) {
      group.spawn([&living] { return Counted{living}; });
      if (i % 100 == 99) {
        settle();
        ASSERT_EQ(0u, group.task_count());
        ASSERT_EQ(0, living) << "a finished child's result, which nobody can reach";
      }
    }
    EXPECT_LT(loop().statistics().stacks, 1'000u);
    EXPECT_EQ(1u, loop().statistics().tasks_alive);
    group.wait_all();
  });
}

TEST_F(TaskGroupTest, S15_BackgroundChildLivesInASecondGroup) {
  run([&] {
    TaskGroup background;
    auto daemon = background.spawn(forever);
    TaskGroup group;
    group.spawn([] { sleep(1s); });
    group.wait_all();
    EXPECT_EQ(1s, elapsed());
    EXPECT_FALSE(daemon.is_done());
    background.cancel();
    background.wait_all();
    EXPECT_EQ(TaskState::cancelled, daemon.state());
  });
}

// ---- Cancelling ---------------------------------------------------------------------------------

TEST_F(TaskGroupTest, S15_BackgroundChildrenDoNotKeepTheGroupOpen) {
  run([&] {
    TaskGroup group;
    auto work = group.spawn([] { sleep(2s); });
    auto ticker = group.spawn([] { sleep_forever(); }, {.name = "ticker", .background = true});
    auto quick = group.spawn([] { sleep(1s); }, {.background = true});
    group.wait_all();
    EXPECT_EQ(2s, elapsed());
    EXPECT_EQ(TaskState::completed, work.state());
    EXPECT_EQ(TaskState::completed, quick.state());
    EXPECT_EQ(TaskState::cancelled, ticker.state());
    EXPECT_FALSE(group.is_cancelled());
    EXPECT_EQ("ticker", ticker.name());
  });
}

TEST_F(TaskGroupTest, S15_WithBackgroundChildrenAloneTheGroupEndsThemAndJoins) {
  run([&] {
    bool cleaned_up = false;
    const int result = TaskGroup::run([&](TaskGroup& group) {
      group.spawn(
          [&] {
            try {
              sleep_forever();
            } catch (const Cancelled& cancelled) {
              EXPECT_EQ(CancelReason::parent, cancelled.reason());
              shield([] { sleep(1s); });
              cleaned_up = true;
              throw;
            }
          },
          {.background = true});
      settle();
      return 5;
    });
    EXPECT_EQ(5, result);
    EXPECT_TRUE(cleaned_up);
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(TaskGroupTest, S15_AFailureInTheBackgroundIsTheGroupsEvenAtItsEnd) {
  run([] {
    TaskGroup early;
    auto work = early.spawn([] { sleep_forever(); });
    early.spawn([] { throw std::runtime_error("bad"); }, {.background = true});
    EXPECT_THROW(early.wait_all(), ExceptionGroup);
    EXPECT_EQ(TaskState::cancelled, work.state());

    TaskGroup late;
    late.spawn(
        [] {
          try {
            sleep_forever();
          } catch (const Cancelled&) {
            throw std::runtime_error("in the cleanup");
          }
        },
        {.background = true});
    settle();
    EXPECT_THROW(late.wait_all(), ExceptionGroup);
  });
}

TEST_F(TaskGroupTest, C23_CallerCancelledWithBackgroundChildrenTheyAreJoinedToo) {
  run([] {
    AnyTask background;
    auto caller = create_task([&] {
      TaskGroup group;
      group.spawn([] { sleep_forever(); });
      background = group.spawn([] { sleep_forever(); }, {.background = true});
      group.wait_all();
    });
    settle();
    caller.cancel();
    EXPECT_THROW(await(caller), TaskCancelledException);
    EXPECT_EQ(TaskState::cancelled, background.state());
  });
}

TEST_F(TaskGroupTest, CancelEndsTheChildrenAndWaitAllReturnsNormally) {
  run([] {
    TaskGroup group;
    auto child = group.spawn(forever);
    settle();
    group.cancel("enough");
    group.cancel("twice");
    EXPECT_TRUE(group.is_cancelled());
    group.wait_all();
    try {
      child.result();
      ADD_FAILURE() << "must throw";
    } catch (const TaskCancelledException& error) {
      EXPECT_NE(std::string::npos, std::string{error.what()}.find("was cancelled")) << error.what();
    }
    checkpoint();
  });
}

TEST_F(TaskGroupTest, CancelThatInterruptsTheBodyOfRunThrowsTaskCancelledException) {
  run([] {
    try {
      TaskGroup::run([](TaskGroup& group) {
        group.cancel("enough");
        sleep(1h);
      });
      ADD_FAILURE() << "must throw";
    } catch (const TaskCancelledException& error) {
      EXPECT_EQ("enough", error.text());
      EXPECT_EQ(CancelReason::user, error.reason());
    }
    checkpoint();
  });
}

TEST_F(TaskGroupTest, CancelThatComesAfterTheBodyOfRunLeavesItsResult) {
  run([] {
    EXPECT_EQ(1, TaskGroup::run([](TaskGroup& group) {
                group.spawn(forever);
                group.spawn([&group] {
                  sleep(1s);
                  group.cancel();
                });
                return 1;
              }));
    checkpoint();
  });
}

TEST_F(TaskGroupTest, C23_CallerCancelledInWaitAllTheChildrenAreCancelledAndJoined) {
  run([&] {
    bool cleaned = false;
    bool went_on = false;
    auto owner = create_task([&] {
      TaskGroup group;
      group.spawn(slow_cleanup(1s, cleaned));
      group.wait_all();
      went_on = true;
    });
    settle();
    owner.cancel();
    EXPECT_THROW(await(owner), TaskCancelledException);
    EXPECT_TRUE(cleaned);
    EXPECT_FALSE(went_on);
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(TaskGroupTest, C23_RealFailureOfAChildWinsAndTheCancelStaysPending) {
  run([] {
    std::string failure;
    auto owner = create_task([&] {
      TaskGroup group;
      group.spawn(failing_in_cleanup("child"));
      group.spawn(forever);
      failure = failure_of([&] { group.wait_all(); });
      checkpoint();
      ADD_FAILURE() << "must throw";
    });
    settle();
    owner.cancel();
    EXPECT_THROW(await(owner), TaskCancelledException);
    EXPECT_EQ("{child}", failure);
  });
}

TEST_F(TaskGroupTest, C23_CallerCancelledInTheBodyOfRun) {
  run([&] {
    bool cleaned = false;
    bool went_on = false;
    auto owner = create_task([&] {
      TaskGroup::run([&](TaskGroup& group) {
        group.spawn(slow_cleanup(1s, cleaned));
        sleep(1h);
      });
      went_on = true;
    });
    settle();
    owner.cancel();
    EXPECT_THROW(await(owner), TaskCancelledException);
    EXPECT_TRUE(cleaned);
    EXPECT_FALSE(went_on);
  });
}

TEST_F(TaskGroupTest, C23_CallerCancelledInTheJoinOfRunUnwinds) {
  run([&] {
    bool cleaned = false;
    bool went_on = false;
    auto owner = create_task([&] {
      TaskGroup::run([&](TaskGroup& group) {
        group.spawn(slow_cleanup(1s, cleaned));
        return 1;
      });
      went_on = true;
    });
    settle();
    owner.cancel("from outside");
    EXPECT_THROW(await(owner), TaskCancelledException);
    EXPECT_TRUE(cleaned);
    EXPECT_FALSE(went_on);
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(TaskGroupTest, C23_CallerCancelledInRunARealFailureWins) {
  run([] {
    for (const bool in_body : {true, false}) {
      std::string failure;
      auto owner = create_task([&] {
        failure = failure_of([&] {
          TaskGroup::run([&](TaskGroup& group) {
            group.spawn(failing_in_cleanup("child"));
            if (in_body) sleep(1h);
          });
        });
        checkpoint();
        ADD_FAILURE() << "must throw";
      });
      settle();
      owner.cancel();
      EXPECT_THROW(await(owner), TaskCancelledException);
      EXPECT_EQ("{child}", failure);
    }
  });
}

TEST_F(TaskGroupTest, C38_FailureOfACleanupIsReportedByTheGroup) {
  run([] {
    TaskGroup group;
    auto child = group.spawn(failing_in_cleanup("cleanup"));
    settle();
    group.cancel();
    EXPECT_EQ("{cleanup}", failure_of([&] { group.wait_all(); }));
    EXPECT_EQ(TaskState::failed, child.state());
  });
}

TEST_F(TaskGroupTest, C52_SeveralFailuresOfOneTurnMeanOneCancelOfTheRest) {
  run([] {
    TaskGroup group;
    int unwinds = 0;
    for (int i = 0; i < 3; ++i) {
      group.spawn([&] {
        try {
          sleep(1h);
        } catch (const Cancelled&) {
          ++unwinds;
          throw;
        }
      });
    }
    group.spawn(failing_in_cleanup("late"));
    settle();
    Event go;
    for (int i = 0; i < 4; ++i) {
      group.spawn([&go] {
        // A shield, so that the first failure's cancel cannot be before the others' own.
        shield([&] { go.wait(); });
        throw std::runtime_error("same");
      });
    }
    settle();
    go.set();
    try {
      group.wait_all();
      ADD_FAILURE() << "must throw";
    } catch (const ExceptionGroup& error) {
      std::vector<std::string> messages;
      for (const auto& exception : error.exceptions()) messages.push_back(message_of(exception));
      std::sort(messages.begin(), messages.end());
      EXPECT_EQ((std::vector<std::string>{"late", "same", "same", "same", "same"}), messages);
    }
    EXPECT_EQ(3, unwinds);
  });
}

}  // namespace
}  // namespace asyncio::test

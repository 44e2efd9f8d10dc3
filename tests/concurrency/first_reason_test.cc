// Why a task is being cancelled: the first reason stays, and it reaches everybody whom the cancel
// does.
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

/// What a task is told when it is cancelled.
struct Told {
  std::optional<CancelReason> reason;
  std::string text;
  bool operator==(const Told&) const = default;
};

void PrintTo(const Told& told, std::ostream* out) {
  *out << (told.reason ? to_string(*told.reason) : "nothing") << " '" << told.text << "'";
}

/// Waits until it is cancelled and notes what it is told, then cleans up for `cleanup`.
void wait_to_be_told(Told& told, Duration cleanup = 0s) {
  try {
    sleep(24h);
  } catch (const Cancelled& cancelled) {
    told = {cancelled.reason(), cancelled.text()};
    if (cleanup > 0s) shield([&] { sleep(cleanup); });
    throw;
  }
}

/// Lets tasks inside tasks start, also where others do the same.
void let_all_start() {
  for (int turn = 0; turn < 8; ++turn) yield();
}

/// What the next suspending call tells.
Told told_next() {
  try {
    checkpoint();
  } catch (const Cancelled& cancelled) {
    return {cancelled.reason(), cancelled.text()};
  }
  return {};
}

/// The same as wait_to_be_told(), and notes in `second` what the next call tells after the cleanup
/// and whatever `meanwhile` does.
template <class F>
void wait_to_be_told_twice(Told& first, Told& second, Duration cleanup, F&& meanwhile) {
  try {
    wait_to_be_told(first, cleanup);
  } catch (const Cancelled&) {
    meanwhile();
    second = told_next();
    throw;
  }
}
void wait_to_be_told_twice(Told& first, Told& second, Duration cleanup) {
  wait_to_be_told_twice(first, second, cleanup, [] {});
}

/// What somebody is told who awaits a task that ended cancelled.
Told told_by(const AnyTask& task) {
  try {
    await(task);
  } catch (const TaskCancelledException& error) {
    return {error.reason(), error.text()};
  }
  return {};
}

/// What a call that a cancel ended throws.
template <class F>
Told told_by_throw(F&& call) {
  try {
    call();
  } catch (const TaskCancelledException& error) {
    return {error.reason(), error.text()};
  } catch (const TimeoutException&) {
    return {CancelReason::deadline, "thrown"};
  }
  return {};
}

const Told by_hand{CancelReason::user, "by hand"};
const Told hand_above{CancelReason::parent, "by hand"};
const Told by_deadline{CancelReason::deadline, ""};
const Told timeout_thrown{CancelReason::deadline, "thrown"};

// ---- The first reason stays: a scope and its deadline -------------------------------------------

class FirstReasonTest : public LoopTest {};

TEST_F(FirstReasonTest, HandThenDeadlineInTheCleanupIsTheHand) {
  run([&] {
    CancellationScope scope{{.timeout = 1s}};
    Told first;
    Told second;
    EXPECT_FALSE(scope.enter([&] {
      scope.cancel("by hand");
      wait_to_be_told_twice(first, second, 2s);
    }));
    EXPECT_EQ(by_hand, first);
    EXPECT_EQ(by_hand, second);
    EXPECT_FALSE(scope.expired());
    EXPECT_TRUE(scope.cancelled_caught());
    EXPECT_EQ(2s, elapsed()) << "its deadline must pass while it cleans up";
  });
}

TEST_F(FirstReasonTest, HandThenDeadlineIsThrownAsTheHand) {
  run([&] {
    const auto body = [] {
      CancellationScope::current()->cancel("by hand");
      Told told;
      wait_to_be_told(told, 2s);
    };
    EXPECT_EQ(by_hand,
              told_by_throw([&] { CancellationScope::run(body, ScopeOptions{.timeout = 1s}); }));
    EXPECT_EQ(by_hand, told_by_throw([&] { timeout(1s, body); }));
    EXPECT_EQ(by_hand, told_by_throw([&] { shield_for(1s, body); }));
    EXPECT_EQ(6s, elapsed());
  });
}

TEST_F(FirstReasonTest, HandOfAnotherTaskThenDeadlineIsTheHand) {
  run([&] {
    CancellationScope scope{{.timeout = 2s}};
    Told told;
    auto task = create_task([&] { return scope.enter([&] { wait_to_be_told(told, 2s); }); });
    sleep(1s);
    scope.cancel("by hand");
    EXPECT_FALSE(await(task));
    EXPECT_EQ(by_hand, told);
    EXPECT_FALSE(scope.expired());
  });
}

TEST_F(FirstReasonTest, HandBeforeTheEntryThenDeadlineIsTheHand) {
  run([&] {
    CancellationScope scope{{.timeout = 1s}};
    scope.cancel("by hand");
    Told told;
    EXPECT_FALSE(scope.enter([&] { wait_to_be_told(told, 2s); }));
    EXPECT_EQ(by_hand, told);
    EXPECT_FALSE(scope.expired());
  });
}

TEST_F(FirstReasonTest, HandThenDeadlineMovedIntoThePastIsTheHand) {
  run([&] {
    CancellationScope scope{{.timeout = 1h}};
    Told told;
    EXPECT_FALSE(scope.enter([&] {
      scope.cancel("by hand");
      scope.set_deadline(clock.now() - 1s);
      told = told_next();
      checkpoint();
    }));
    EXPECT_EQ(by_hand, told);
    EXPECT_FALSE(scope.expired());
  });
}

TEST_F(FirstReasonTest, HandThenDeadlineWhileItJoinsIsTheHand) {
  run([&] {
    CancellationScope scope{{.timeout = 1s}};
    Told told;
    EXPECT_FALSE(scope.enter([&] {
      create_task([&] { wait_to_be_told(told, 2s); });
      let_all_start();
      scope.cancel("by hand");
      sleep(1h);
    }));
    EXPECT_EQ(hand_above, told);
    EXPECT_FALSE(scope.expired());
    EXPECT_EQ(2s, elapsed());
  });
}

TEST_F(FirstReasonTest, DeadlineThenHandIsTheDeadline) {
  run([&] {
    CancellationScope scope{{.timeout = 1s}};
    Told first;
    Told second;
    EXPECT_FALSE(scope.enter(
        [&] { wait_to_be_told_twice(first, second, 1s, [&] { scope.cancel("by hand"); }); }));
    EXPECT_EQ(by_deadline, first);
    EXPECT_EQ(by_deadline, second);
    EXPECT_TRUE(scope.expired());
    EXPECT_EQ(timeout_thrown, told_by_throw([] {
                timeout(1s, [] {
                  try {
                    sleep(1h);
                  } catch (const Cancelled&) {
                    CancellationScope::current()->cancel("by hand");
                    throw;
                  }
                });
              }));
  });
}

// ---- The first reason stays: scopes and tasks around one another --------------------------------

TEST_F(FirstReasonTest, OuterHandThenInnerDeadlineIsTheOuterHand) {
  run([&] {
    Told first;
    Told second;
    EXPECT_EQ(by_hand, told_by_throw([&] {
                CancellationScope::run([&](CancellationScope& outer) {
                  outer.cancel("by hand");
                  timeout(1s, [&] { wait_to_be_told_twice(first, second, 2s); });
                });
              }));
    EXPECT_EQ(by_hand, first);
    EXPECT_EQ(by_hand, second);
  });
}

TEST_F(FirstReasonTest, OuterDeadlineThenInnerHandIsTheOuterDeadline) {
  run([&] {
    Told second;
    EXPECT_EQ(timeout_thrown, told_by_throw([&] {
                timeout(1s, [&] {
                  CancellationScope::run([&](CancellationScope& inner) {
                    try {
                      sleep(1h);
                    } catch (const Cancelled&) {
                      inner.cancel("by hand");
                      second = told_next();
                      throw;
                    }
                  });
                });
              }));
    EXPECT_EQ(by_deadline, second);
  });
}

TEST_F(FirstReasonTest, InnerHandThenOuterDeadlineIsTheInnerHandInsideAndTheDeadlineOutside) {
  run([&] {
    Told second;
    EXPECT_EQ(timeout_thrown, told_by_throw([&] {
                timeout(1s, [&] {
                  CancellationScope::run([&](CancellationScope& inner) {
                    inner.cancel("by hand");
                    Told first;
                    wait_to_be_told_twice(first, second, 2s);
                  });
                });
              }));
    EXPECT_EQ(by_hand, second);
  });
}

TEST_F(FirstReasonTest, ScopesCancelThenTheTasksOwnIsTheScopes) {
  run([&] {
    CancellationScope scope;
    Told first;
    Told second;
    Told awaited;
    EXPECT_FALSE(scope.enter([&] {
      auto task = create_task([&] { wait_to_be_told_twice(first, second, 1s); });
      let_all_start();
      scope.cancel("by hand");
      task.cancel("too late");
      shield([&] { awaited = told_by(task); });
      checkpoint();
    }));
    EXPECT_EQ(hand_above, first);
    EXPECT_EQ(hand_above, second);
    EXPECT_EQ(hand_above, awaited);
  });
}

TEST_F(FirstReasonTest, TheTasksOwnCancelThenTheScopesIsTheTasks) {
  run([&] {
    CancellationScope scope;
    Told told;
    Told awaited;
    EXPECT_FALSE(scope.enter([&] {
      auto task = create_task([&] { wait_to_be_told(told, 1s); });
      let_all_start();
      task.cancel("by hand");
      scope.cancel("too late");
      shield([&] { awaited = told_by(task); });
      checkpoint();
    }));
    EXPECT_EQ(by_hand, told);
    EXPECT_EQ(by_hand, awaited);
  });
}

TEST_F(FirstReasonTest, TheTasksOwnCancelThenADeadlineInsideIsTheTasks) {
  run([&] {
    Told first;
    Told second;
    auto task =
        create_task([&] { timeout(1s, [&] { wait_to_be_told_twice(first, second, 2s); }); });
    let_all_start();
    task.cancel("by hand");
    EXPECT_EQ(by_hand, told_by(task));
    EXPECT_EQ(by_hand, first);
    EXPECT_EQ(by_hand, second);
  });
}

TEST_F(FirstReasonTest, ShutdownThenADeadlineInsideIsTheShutdown) {
  Told first;
  Told second;
  const auto leftover = [&] { timeout(1s, [&] { wait_to_be_told_twice(first, second, 2s); }); };
  run([&] {
    create_task(leftover);
    let_all_start();
  });
  EXPECT_EQ(CancelReason::shutdown, first.reason);
  EXPECT_EQ(first, second);
}

// ---- The first reason stays: groups -------------------------------------------------------------

TEST_F(FirstReasonTest, GroupCancelledByHandThenItsDeadlineIsTheHand) {
  run([&] {
    Told told;
    bool expired = true;
    EXPECT_EQ(by_hand, told_by_throw([&] {
                TaskGroup::run([&](TaskGroup& group) {
                  CancellationScope& scope = *CancellationScope::current();
                  scope.set_deadline(clock.now() + 1s);
                  group.cancel("by hand");
                  try {
                    wait_to_be_told(told, 2s);
                  } catch (const Cancelled&) {
                    expired = scope.expired();
                    throw;
                  }
                });
              }));
    EXPECT_EQ(by_hand, told);
    EXPECT_FALSE(expired);
  });
}

TEST_F(FirstReasonTest, GroupsDeadlineThenHandIsTheDeadline) {
  run([&] {
    EXPECT_EQ(timeout_thrown, told_by_throw([&] {
                TaskGroup::run([&](TaskGroup& group) {
                  CancellationScope::current()->set_deadline(clock.now() + 1s);
                  try {
                    sleep(1h);
                  } catch (const Cancelled&) {
                    group.cancel("by hand");
                    throw;
                  }
                });
              }));
  });
}

TEST_F(FirstReasonTest, GroupThatFailedThenItsDeadlineHasFailed) {
  run([&] {
    Told first;
    Told second;
    bool expired = true;
    EXPECT_THROW(TaskGroup::run([&](TaskGroup& group) {
                   CancellationScope& scope = *CancellationScope::current();
                   scope.set_deadline(clock.now() + 1s);
                   group.spawn([] { throw std::runtime_error("broken"); });
                   wait_to_be_told_twice(first, second, 2s, [&] { expired = scope.expired(); });
                 }),
                 ExceptionGroup);
    EXPECT_EQ(CancelReason::sibling_failed, first.reason);
    EXPECT_EQ(first, second);
    EXPECT_FALSE(expired);
  });
}

TEST_F(FirstReasonTest, GroupsDeadlineThenAFailureInACleanupKeepsTheDeadlineForTheOthers) {
  run([&] {
    Told other;
    Told next;
    EXPECT_THROW(TaskGroup::run([&](TaskGroup& group) {
                   CancellationScope::current()->set_deadline(clock.now() + 1s);
                   group.spawn([&] {
                     try {
                       sleep(1h);
                     } catch (const Cancelled&) {
                       throw std::runtime_error("broken");
                     }
                   });
                   group.spawn([&] { wait_to_be_told_twice(other, next, 1s); });
                   sleep(1h);
                 }),
                 ExceptionGroup);
    EXPECT_EQ(by_deadline, other);
    EXPECT_EQ(by_deadline, next);
  });
}

// ---- The first reason stays: wait_for and gather ------------------------------------------------

TEST_F(FirstReasonTest, WaitForATaskCancelledByHandThenOutOfTimeIsTheHand) {
  run([&] {
    Told told;
    auto task = create_task([&] { wait_to_be_told(told, 2s); });
    let_all_start();
    task.cancel("by hand");
    EXPECT_EQ(by_hand, told_by_throw([&] { wait_for(task, 1s); }));
    EXPECT_EQ(by_hand, told);
    EXPECT_EQ(by_hand, told_by(task));
    EXPECT_EQ(2s, elapsed()) << "its time must run out while it cleans up";
  });
}

TEST_F(FirstReasonTest, WaitForATaskWhoseGroupWasCancelledThenOutOfTimeIsTheGroups) {
  run([&] {
    TaskGroup group;
    Told told;
    auto task = group.spawn([&] { wait_to_be_told(told, 2s); });
    let_all_start();
    group.cancel("by hand");
    EXPECT_EQ(hand_above, told_by_throw([&] { wait_for(task, 1s); }));
    EXPECT_EQ(hand_above, told);
    group.wait_all();
  });
}

TEST_F(FirstReasonTest, WaitForOutOfTimeThenHandIsTheTimeout) {
  run([&] {
    Told told;
    auto task = create_task([&] {
      try {
        wait_to_be_told(told, 1s);
      } catch (const Cancelled&) {
        current_task().cancel("too late");
        throw;
      }
    });
    EXPECT_EQ(timeout_thrown, told_by_throw([&] { wait_for(task, 1s); }));
    EXPECT_EQ(CancelReason::deadline, told.reason);
    EXPECT_EQ(CancelReason::deadline, told_by(task).reason);
  });
}

TEST_F(FirstReasonTest, MemberCancelledByHandThenItsSiblingFailsIsTheHand) {
  run([&] {
    Told told;
    auto member = create_task([&] { wait_to_be_told(told, 1s); });
    auto fails = create_task([] {
      sleep(500ms);
      throw std::runtime_error("broken");
    });
    let_all_start();
    member.cancel("by hand");
    EXPECT_THROW(gather(member, fails), GatherException);
    EXPECT_EQ(by_hand, told);
    EXPECT_EQ(by_hand, told_by(member));
  });
}

TEST_F(FirstReasonTest, SiblingFailsThenHandIsTheSibling) {
  run([&] {
    Told told;
    auto member = create_task([&] { wait_to_be_told(told, 2s); });
    auto fails = create_task([] {
      sleep(500ms);
      throw std::runtime_error("broken");
    });
    auto late = create_task([&] {
      sleep(1s);
      member.cancel("too late");
    });
    EXPECT_THROW(gather(member, fails), GatherException);
    EXPECT_EQ(CancelReason::sibling_failed, told.reason);
    EXPECT_EQ(told, told_by(member));
    await(late);
  });
}

// ---- The reason reaches everybody ---------------------------------------------------------------

class CauseReachesTest : public LoopTest {
 protected:
  /// Three tasks below the current scope, each in a scope of the one before: what they are told.
  struct Family {
    Told child;
    Told grandchild;
    Told great_grandchild;
    Told awaited;  // by who awaits the child from outside
    AnyTask task;

    void start() {
      task = create_task([this] {
        CancellationScope::run([this] {
          create_task([this] {
            CancellationScope::run([this] {
              create_task([this] { wait_to_be_told(great_grandchild); });
              wait_to_be_told(grandchild);
            });
          });
          wait_to_be_told(child);
        });
      });
      let_all_start();
    }
    void expect(const Told& told) {
      EXPECT_EQ(told, child);
      EXPECT_EQ(told, grandchild);
      EXPECT_EQ(told, great_grandchild);
      EXPECT_EQ(told, told_by(task));
    }
  };
};

TEST_F(CauseReachesTest, TextOfACancelByHand) {
  run([&] {
    Family family;
    EXPECT_FALSE(CancellationScope::try_run([&](CancellationScope& scope) {
      family.start();
      scope.cancel("by hand");
      sleep(1h);
    }));
    family.expect(hand_above);
  });
}

TEST_F(CauseReachesTest, Deadline) {
  run([&] {
    Family family;
    EXPECT_EQ(timeout_thrown, told_by_throw([&] {
                timeout(1s, [&] {
                  family.start();
                  sleep(1h);
                });
              }));
    family.expect(by_deadline);
  });
}

TEST_F(CauseReachesTest, CancelOfTheTaskAround) {
  run([&] {
    Family family;
    auto task = create_task([&] {
      CancellationScope::run([&] {
        family.start();
        sleep(1h);
      });
    });
    let_all_start();
    task.cancel("by hand");
    EXPECT_EQ(by_hand, told_by(task));
    family.expect(hand_above);
  });
}

TEST_F(CauseReachesTest, CancelOfAScopeFurtherOut) {
  run([&] {
    Family family;
    EXPECT_FALSE(CancellationScope::try_run([&](CancellationScope& outer) {
      CancellationScope::run([&] {
        CancellationScope::run([&] {
          family.start();
          outer.cancel("by hand");
          sleep(1h);
        });
      });
    }));
    family.expect(hand_above);
  });
}

TEST_F(CauseReachesTest, FailureOfASibling) {
  run([&] {
    Family family;
    EXPECT_THROW(TaskGroup::run([&](TaskGroup& group) {
                   family.start();
                   group.spawn([] { throw std::runtime_error("broken"); });
                   sleep(1h);
                 }),
                 ExceptionGroup);
    family.expect({CancelReason::sibling_failed, ""});
  });
}

TEST_F(CauseReachesTest, CancelOfAGroup) {
  run([&] {
    Family family;
    TaskGroup group;
    group.spawn([&] {
      CancellationScope::run([&] {
        family.start();
        sleep(1h);
      });
    });
    let_all_start();
    group.cancel("by hand");
    group.wait_all();
    family.expect(hand_above);
  });
}

TEST_F(CauseReachesTest, CancelOfTheOwnerOfAGroupWhoWaitsForIt) {
  run([&] {
    Family family;
    auto owner = create_task([&] {
      TaskGroup group;
      group.spawn([&] {
        CancellationScope::run([&] {
          family.start();
          sleep(1h);
        });
      });
      group.wait_all();
    });
    let_all_start();
    owner.cancel("by hand");
    EXPECT_EQ(by_hand, told_by(owner));
    family.expect(hand_above);
  });
}

TEST_F(CauseReachesTest, CancelOfTheScopeThatAGroupWasMadeIn) {
  run([&] {
    Family family;
    std::optional<TaskGroup> group;
    EXPECT_FALSE(CancellationScope::try_run([&](CancellationScope& scope) {
      group.emplace();
      group->spawn([&] {
        CancellationScope::run([&] {
          family.start();
          sleep(1h);
        });
      });
      let_all_start();
      scope.cancel("by hand");
      sleep(1h);
    }));
    family.expect(hand_above);
  });
}

TEST_F(CauseReachesTest, EndOfTheRun) {
  Family family;
  Told body;
  AnyTask task;
  run([&] {
    create_task([&] {
      CancellationScope::run([&] {
        family.start();
        wait_to_be_told(body);
      });
    });
    let_all_start();
  });
  EXPECT_EQ(CancelReason::shutdown, body.reason);
  EXPECT_EQ(body, family.child);
  EXPECT_EQ(body, family.grandchild);
  EXPECT_EQ(body, family.great_grandchild);
}

TEST_F(CauseReachesTest, TaskThatNeverStarted) {
  run([&] {
    AnyTask task;
    EXPECT_FALSE(CancellationScope::try_run([&](CancellationScope& scope) {
      task = create_task([] { ADD_FAILURE() << "must not run"; });
      scope.cancel("by hand");
      checkpoint();
    }));
    EXPECT_EQ(hand_above, told_by(task));
  });
}

TEST_F(CauseReachesTest, TaskThatACleanupMakesWhileTheScopeJoins) {
  run([&] {
    AnyTask task;
    EXPECT_FALSE(CancellationScope::try_run([&](CancellationScope& scope) {
      create_task([&] {
        try {
          sleep(1h);
        } catch (const Cancelled&) {
          shield([] { sleep(1s); });
          CancellationScope& own = *CancellationScope::current();
          EXPECT_EQ(&scope, &own);
          task = create_task([] { ADD_FAILURE() << "must not run"; });
          throw;
        }
      });
      let_all_start();
      scope.cancel("by hand");
      sleep(1h);
    }));
    EXPECT_EQ(hand_above, told_by(task));
  });
}

TEST_F(CauseReachesTest, TaskThatSwallowsIsToldTheSameAfterTheBodyIsGone) {
  run([&] {
    Told first;
    Told second;
    EXPECT_FALSE(CancellationScope::try_run([&](CancellationScope& scope) {
      create_task([&] {
        try {
          wait_to_be_told(first);
        } catch (const Cancelled&) {
          shield([] { sleep(1s); });
        }
        second = told_next();
      });
      let_all_start();
      scope.cancel("by hand");
      sleep(1h);
    }));
    EXPECT_EQ(hand_above, first);
    EXPECT_EQ(hand_above, second);
  });
}

TEST_F(CauseReachesTest, MembersOfAGatherInACancelledScopeAreToldWhyTheScopeWas) {
  run([&] {
    Told told;
    EXPECT_FALSE(CancellationScope::try_run([&](CancellationScope& scope) {
      std::vector<Task<void>> members{create_task([&] { wait_to_be_told(told); })};
      create_task([&] {
        sleep(1s);
        scope.cancel("by hand");
      });
      gather(members);
    }));
    EXPECT_EQ(hand_above, told);
  });
}

TEST_F(CauseReachesTest, ScopeThatEndsUncancelledSaysSo) {
  run([&] {
    Family family;
    CancellationScope::run([&] { family.start(); });
    family.expect({CancelReason::parent, "its scope ended"});
  });
}

}  // namespace
}  // namespace asyncio::test

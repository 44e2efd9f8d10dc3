// Cancellation scopes: who absorbs an unwind, what a scope owns, and how it may be misused.
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

class CancellationScopeTest : public LoopTest {};

// ---- Results ------------------------------------------------------------------------------------

TEST_F(CancellationScopeTest, RunGivesTheBodysResultOfAnyKind) {
  run([] {
    int place = 1;
    EXPECT_EQ(5, CancellationScope::run([] { return 5; }));
    EXPECT_EQ(6, *CancellationScope::run([] { return std::make_unique<int>(6); }));
    EXPECT_EQ(&place, &CancellationScope::run([&]() -> int& { return place; }).get());
    EXPECT_EQ("named", CancellationScope::run([](CancellationScope& scope) { return scope.name(); },
                                              {.name = "named"}));
    bool ran = false;
    CancellationScope::run([&] { ran = true; });
    EXPECT_TRUE(ran);
    EXPECT_THROW(CancellationScope::run([] { throw std::out_of_range("own"); }), std::out_of_range);
  });
}

TEST_F(CancellationScopeTest, RunFailsWhenItsOwnCancelEndedTheBody) {
  run([] {
    try {
      CancellationScope::run(
          [](CancellationScope& scope) {
            scope.cancel("enough");
            sleep(1h);
          },
          {.name = "work"});
      ADD_FAILURE() << "must throw";
    } catch (const TaskCancelledException& error) {
      EXPECT_EQ(CancelReason::user, error.reason());
      EXPECT_EQ("enough", error.text());
      EXPECT_NE(std::string::npos, std::string{error.what()}.find("'work'")) << error.what();
    }
    EXPECT_THROW(CancellationScope::run([] { sleep(1h); }, {.timeout = 1s}), TimeoutException);
    checkpoint();  // nothing sticks
  });
  EXPECT_EQ(1s, elapsed());
}

TEST_F(CancellationScopeTest, TryRunMovesOn) {
  run([] {
    EXPECT_EQ(std::optional{5}, CancellationScope::try_run([] { return 5; }));
    EXPECT_TRUE(CancellationScope::try_run([] {}));
    const auto cancelled = [](CancellationScope& scope) {
      scope.cancel();
      sleep(1h);
    };
    EXPECT_FALSE(CancellationScope::try_run(cancelled));
    EXPECT_EQ(std::nullopt, CancellationScope::try_run([&](CancellationScope& scope) {
                cancelled(scope);
                return 5;
              }));
    EXPECT_FALSE(CancellationScope::try_run([] { sleep(1h); }, {.timeout = 1s}));
    EXPECT_THROW(CancellationScope::try_run([] { throw std::out_of_range("own"); }),
                 std::out_of_range);
    checkpoint();
  });
}

TEST_F(CancellationScopeTest, OutsideATaskItIsAnError) {
  EXPECT_THROW(CancellationScope{}, NoRunningLoopError);
  EXPECT_THROW(CancellationScope::run([] {}), NoRunningLoopError);
  EXPECT_EQ(nullptr, CancellationScope::current());
  run([] {
    bool checked = false;
    call_soon([&] {
      EXPECT_THROW(CancellationScope::run([] { ADD_FAILURE() << "must not run"; }), NotInTaskError);
      EXPECT_NE(nullptr, CancellationScope::current()) << "the loop's root";
      checked = true;
    });
    settle();
    EXPECT_TRUE(checked);
  });
}

TEST_F(CancellationScopeTest, CurrentIsTheInnermostExplicitOne) {
  run([] {
    CancellationScope* const root = CancellationScope::current();
    ASSERT_NE(nullptr, root);
    CancellationScope outer;
    outer.enter([&] {
      EXPECT_EQ(&outer, CancellationScope::current());
      CancellationScope::run(
          [](CancellationScope& inner) { EXPECT_EQ(&inner, CancellationScope::current()); });
      EXPECT_EQ(&outer, CancellationScope::current());
      auto child = create_task([&] { EXPECT_EQ(&outer, CancellationScope::current()); });
      EXPECT_EQ(&outer, child.scope());
      await(child);
      EXPECT_EQ(nullptr, child.scope());
    });
    EXPECT_EQ(root, CancellationScope::current());
  });
}

// ---- Swallowing and replacing -------------------------------------------------------------------

TEST_F(CancellationScopeTest, C27_SwallowedInsideItIsThrownAgainUntilTheScopeIsLeft) {
  run([] {
    int thrown = 0;
    CancellationScope scope;
    EXPECT_FALSE(scope.enter([&] {
      scope.cancel();
      for (int i = 0; i < 3; ++i) {
        try {
          sleep(1h);
        } catch (...) {
          ++thrown;
        }
      }
      sleep(1h);
      ++thrown;
    }));
    EXPECT_EQ(3, thrown);
    EXPECT_TRUE(scope.cancelled_caught());
    sleep(1s);  // and not a moment longer
  });
  EXPECT_EQ(1s, elapsed());
}

TEST_F(CancellationScopeTest, C28_SwallowedThenReturnedIsAnOrdinaryResult) {
  run([] {
    CancellationScope scope;
    const std::optional<int> result = scope.enter([&] {
      scope.cancel();
      try {
        sleep(1h);
      } catch (...) {
      }
      return 7;
    });
    EXPECT_EQ(7, result);
    EXPECT_TRUE(scope.cancel_called());
    EXPECT_FALSE(scope.cancelled_caught());
  });
}

TEST_F(CancellationScopeTest, C29_ReplacedByAnotherExceptionItIsNotAbsorbed) {
  run([] {
    CancellationScope scope;
    EXPECT_THROW(scope.enter([&] {
      scope.cancel();
      try {
        sleep(1h);
      } catch (const Cancelled&) {
        throw std::out_of_range("instead");
      }
    }),
                 std::out_of_range);
    EXPECT_TRUE(scope.cancel_called());
    EXPECT_FALSE(scope.cancelled_caught());
  });
}

TEST_F(CancellationScopeTest, C38_ExceptionOfACleanupReplacesTheUnwindAndTheScopeRecordsTheCancel) {
  run([] {
    CancellationScope outer;
    CancellationScope inner;
    EXPECT_THROW(outer.enter([&] {
      inner.enter([&] {
        outer.cancel("why");
        try {
          sleep(1h);
        } catch (...) {
          std::throw_with_nested(std::runtime_error("cleanup failed"));
        }
      });
    }),
                 std::runtime_error);
    EXPECT_TRUE(outer.cancel_called());
    EXPECT_FALSE(outer.cancelled_caught());
    EXPECT_FALSE(inner.cancelled_caught());
    checkpoint();
  });
}

// ---- Nesting ------------------------------------------------------------------------------------

TEST_F(CancellationScopeTest, C39_OuterScopeAbsorbsWhenBothWereCancelled) {
  run([] {
    for (const bool inner_first : {true, false}) {
      CancellationScope outer;
      CancellationScope inner;
      EXPECT_FALSE(outer.enter([&] {
        inner.enter([&] {
          (inner_first ? inner : outer).cancel();
          (inner_first ? outer : inner).cancel();
          sleep(1h);
        });
        ADD_FAILURE() << "the inner scope must not absorb it";
      }));
      EXPECT_TRUE(outer.cancelled_caught());
      EXPECT_TRUE(inner.cancel_called());
      EXPECT_FALSE(inner.cancelled_caught());
    }
  });
}

TEST_F(CancellationScopeTest, C39_OuterScopeAbsorbsWhenBothWereCancelledWhileItWasParked) {
  run([] {
    for (const bool inner_first : {true, false}) {
      CancellationScope outer;
      CancellationScope inner;
      auto parked = create_task([&] {
        EXPECT_FALSE(outer.enter([&] {
          inner.enter([] { sleep(1h); });
          ADD_FAILURE() << "the inner scope must not absorb it";
        }));
      });
      settle();
      (inner_first ? inner : outer).cancel();
      (inner_first ? outer : inner).cancel();
      await(parked);
      EXPECT_TRUE(outer.cancelled_caught());
      EXPECT_FALSE(inner.cancelled_caught());
    }
  });
  EXPECT_EQ(0s, elapsed());
}

TEST_F(CancellationScopeTest, C39_OuterCancelledDuringTheInnerUnwindAbsorbsIt) {
  run([] {
    CancellationScope outer;
    CancellationScope inner;
    EXPECT_FALSE(outer.enter([&] {
      inner.enter([&] {
        inner.cancel();
        try {
          sleep(1h);
        } catch (const Cancelled&) {
          outer.cancel();
          throw;
        }
      });
      ADD_FAILURE() << "the inner scope must not absorb it";
    }));
    EXPECT_TRUE(outer.cancelled_caught());
    EXPECT_FALSE(inner.cancelled_caught());
  });
}

TEST_F(CancellationScopeTest, R7_InnerCancelEndsOnlyTheInnerRegion) {
  run([] {
    CancellationScope outer;
    CancellationScope inner;
    bool went_on = false;
    EXPECT_TRUE(outer.enter([&] {
      EXPECT_FALSE(inner.enter([&] {
        inner.cancel();
        EXPECT_TRUE(inner.is_cancelled());
        EXPECT_FALSE(outer.is_cancelled());
        sleep(1h);
      }));
      sleep(1s);
      went_on = true;
    }));
    EXPECT_TRUE(went_on);
    EXPECT_TRUE(inner.cancelled_caught());
    EXPECT_FALSE(outer.cancel_called());
  });
}

TEST_F(CancellationScopeTest, R7_CancelOfTheTaskIsAbsorbedByNoScopeInside) {
  run([] {
    CancellationScope scope;
    bool went_on = false;
    auto task = create_task([&] {
      scope.enter([] { sleep(1h); });
      went_on = true;
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_FALSE(went_on);
    EXPECT_FALSE(scope.cancel_called());
    EXPECT_FALSE(scope.cancelled_caught());
  });
}

TEST_F(CancellationScopeTest, C40_CancelledAndLeftWithoutACheckpointThrowsNothing) {
  run([] {
    CancellationScope outer;
    CancellationScope inner;
    EXPECT_EQ(std::optional{3}, outer.enter([&] {
      EXPECT_TRUE(inner.enter([&] { inner.cancel(); }));
      checkpoint();  // the inner cancel does not reach past its region
      return 3;
    }));
    EXPECT_TRUE(inner.cancel_called());
    EXPECT_FALSE(inner.cancelled_caught());
    EXPECT_FALSE(outer.cancel_called());
  });
}

TEST_F(CancellationScopeTest, C41_CancelledBeforeItIsEnteredTheFirstCheckpointThrows) {
  run([] {
    CancellationScope scope;
    scope.cancel("early");
    EXPECT_TRUE(scope.is_cancelled());
    bool began = false;
    EXPECT_FALSE(scope.enter([&] {
      began = true;
      try {
        checkpoint();
        ADD_FAILURE() << "must throw";
      } catch (const Cancelled& cancelled) {
        EXPECT_EQ("early", cancelled.text());
        throw;
      }
    }));
    EXPECT_TRUE(began);
    EXPECT_TRUE(scope.cancelled_caught());
    checkpoint();
  });
}

TEST_F(CancellationScopeTest, C41_EnteredPastItsDeadlineTheFirstCheckpointThrows) {
  run([&] {
    CancellationScope scope{{.deadline = clock.now() + 1s}};
    sleep(2s);
    bool began = false;
    EXPECT_FALSE(scope.enter([&] {
      began = true;
      checkpoint();
      ADD_FAILURE() << "must throw";
    }));
    EXPECT_TRUE(began);
    EXPECT_TRUE(scope.expired());
    EXPECT_TRUE(scope.cancelled_caught());
  });
}

TEST_F(CancellationScopeTest, C42_EnteringItAgainIsAnErrorThatLeavesTheTaskUsable) {
  run([] {
    CancellationScope scope;
    EXPECT_TRUE(scope.enter([&] {
      EXPECT_THROW(scope.enter([] { ADD_FAILURE() << "must not run"; }), InvalidStateError)
          << "inside itself";
      EXPECT_EQ(&scope, CancellationScope::current());
    }));
    EXPECT_THROW(scope.enter([] { ADD_FAILURE() << "must not run"; }), InvalidStateError)
        << "once it has been left";
    EXPECT_TRUE(CancellationScope::try_run([] { yield(); }));
    sleep(1s);
  });
}

TEST_F(CancellationScopeTest, C42_EnteringItFromAnotherTaskIsAnError) {
  run([] {
    CancellationScope scope;
    auto holder = create_task([&] { scope.enter([] { sleep(1s); }); });
    settle();
    EXPECT_THROW(scope.enter([] { ADD_FAILURE() << "must not run"; }), InvalidStateError);
    await(holder);
  });
}

TEST_F(CancellationScopeTest, C42_EnteringItOnAnotherLoopIsAnError) {
  run([] {
    CancellationScope scope;
    std::thread{[&] {
      asyncio::run([&] {
        EXPECT_THROW(scope.enter([] { ADD_FAILURE() << "must not run"; }), InvalidStateError);
        yield();
      });
    }}.join();
    EXPECT_TRUE(scope.enter([] { yield(); }));
  });
}

TEST_F(CancellationScopeTest, ScopeThatWasLeftMayOutliveItsLoop) {
  std::unique_ptr<CancellationScope> left;
  std::unique_ptr<CancellationScope> never_entered;
  run([&] {
    left = std::make_unique<CancellationScope>(ScopeOptions{.timeout = 1h});
    never_entered = std::make_unique<CancellationScope>(ScopeOptions{.timeout = 1h});
    left->enter([] { yield(); });
  });
  end_loop();
  left->cancel();
  EXPECT_FALSE(left->cancel_called()) << "it is over";
  left.reset();
  never_entered.reset();
}

// ---- What it owns -------------------------------------------------------------------------------

TEST_F(CancellationScopeTest, LeavingItCancelsAndJoinsWhatIsLeft) {
  run([&] {
    Task<void> left_over;
    std::optional<CancelReason> reason;
    EXPECT_TRUE(CancellationScope::try_run([&](CancellationScope& scope) {
      left_over = create_task([&] {
        try {
          sleep(1h);
        } catch (const Cancelled& cancelled) {
          reason = cancelled.reason();
          shield([] { sleep(1s); });
          throw;
        }
      });
      EXPECT_EQ((std::vector<AnyTask>{left_over}), scope.tasks());
      settle();
    }));
    EXPECT_EQ(TaskState::cancelled, left_over.state());
    EXPECT_EQ(CancelReason::parent, reason);
    EXPECT_EQ(1s, elapsed()) << "its cleanup was waited for";
  });
}

TEST_F(CancellationScopeTest, LeavingItByAnExceptionJoinsToo) {
  run([&] {
    Task<void> left_over;
    EXPECT_THROW(CancellationScope::run([&] {
                   left_over = create_task([] { sleep(1h); });
                   settle();
                   throw std::out_of_range("own");
                 }),
                 std::out_of_range);
    EXPECT_EQ(TaskState::cancelled, left_over.state());
  });
}

TEST_F(CancellationScopeTest, CancelReachesTheTasksInsideAndTheirScopes) {
  run([] {
    CancellationScope scope;
    Task<void> child;
    Task<void> grandchild;
    EXPECT_FALSE(scope.enter([&] {
      child = create_task([&] {
        CancellationScope::run([&] {
          grandchild = create_task([] { sleep(1h); });
          sleep(1h);
        });
      });
      settle();
      scope.cancel();
      EXPECT_THROW(await(child), Cancelled);  // here too
      checkpoint();
    }));
    EXPECT_EQ(TaskState::cancelled, child.state());
    EXPECT_EQ(TaskState::cancelled, grandchild.state());
  });
  EXPECT_EQ(0s, elapsed());
}

TEST_F(CancellationScopeTest, TaskMadeInACancelledScopeIsBornCancelled) {
  run([] {
    Task<void> born;
    EXPECT_FALSE(CancellationScope::try_run([&](CancellationScope& scope) {
      scope.cancel("closed");
      born = create_task([] { ADD_FAILURE() << "must not run"; });
      yield();
    }));
    EXPECT_EQ(TaskState::cancelled, born.state());
    EXPECT_EQ(std::nullopt, born.started_at());
  });
}

TEST_F(CancellationScopeTest, TaskMadeByACleanupWhileItJoinsIsBornCancelled) {
  run([] {
    Task<void> made;
    EXPECT_TRUE(CancellationScope::try_run([&] {
      create_task([&] {
        try {
          sleep(1h);
        } catch (const Cancelled&) {
          made = create_task([] { ADD_FAILURE() << "must not run"; });
          throw;
        }
      });
      settle();
    }));
    ASSERT_TRUE(made.valid());
    EXPECT_EQ(TaskState::cancelled, made.state());
  });
}

TEST_F(CancellationScopeTest, FailureNobodyAwaitedIsReportedWhenTheScopeGoes) {
  run([&] {
    Task<void> failing;
    CancellationScope::run([&] {
      failing = create_task([] { throw std::runtime_error("unseen"); }, "loner");
      auto awaited = create_task([] { throw std::runtime_error("seen"); });
      EXPECT_THROW(await(awaited), std::runtime_error);
      settle();
      EXPECT_TRUE(reports.empty()) << "somebody may still look at it";
    });
    ASSERT_EQ(1u, reports.size());
    EXPECT_NE(std::string::npos, reports[0].find("loner")) << reports[0];
    EXPECT_NE(std::string::npos, reports[0].find("unseen")) << reports[0];
  });
  EXPECT_EQ(1u, reports.size());
  reports.clear();
}

TEST_F(CancellationScopeTest, CancelDuringTheJoinAtItsEndStaysPendingForTheOutside) {
  run([&] {
    CancellationScope outer;
    bool went_on = false;
    auto task = create_task([&] {
      outer.enter([&] {
        CancellationScope::run([] {
          create_task([] {
            try {
              sleep(1h);
            } catch (...) {
              shield([] { sleep(2s); });
              throw;
            }
          });
          settle();
        });
        went_on = true;
        checkpoint();
        ADD_FAILURE() << "the cancel must show here";
      });
    });
    sleep(1s);
    outer.cancel();
    await(task);
    EXPECT_TRUE(went_on) << "the join at a scope's end is shielded";
    EXPECT_TRUE(outer.cancelled_caught());
    EXPECT_EQ(2s, elapsed());
  });
}

// ---- Depth --------------------------------------------------------------------------------------

void nest(int depth, CancellationScope*& outermost, int& unwound) {
  CancellationScope::try_run([&](CancellationScope& scope) {
    if (outermost == nullptr) outermost = &scope;
    struct Count {
      int& unwound;
      ~Count() { ++unwound; }
    } count{unwound};
    if (depth > 1) {
      nest(depth - 1, outermost, unwound);
    } else {
      sleep(1h);
    }
    checkpoint();  // absorbed too early, it would show here
  });
}

TEST_F(CancellationScopeTest, C53_TenThousandNestedScopesAreCancelledTogether) {
  run([] {
    constexpr int depth = 10'000;
    CancellationScope* outermost = nullptr;
    int unwound = 0;
    auto deep = create_task([&] { nest(depth, outermost, unwound); },
                            TaskOptions{.stack_size = std::size_t{256} << 20});
    settle();
    ASSERT_NE(nullptr, outermost);
    EXPECT_EQ(0, unwound);
    outermost->cancel();
    await(deep);
    EXPECT_EQ(depth, unwound);
  });
  EXPECT_EQ(0s, elapsed());
}

void grow(int depth, int& started, int& unwound) {
  ++started;
  struct Count {
    int& unwound;
    ~Count() { ++unwound; }
  } count{unwound};
  CancellationScope::run([&] {
    if (depth > 1) {
      create_task([depth, &started, &unwound] { grow(depth - 1, started, unwound); },
                  TaskOptions{.stack_size = 64 << 10});
    }
    sleep(1h);
  });
}

TEST_F(CancellationScopeTest, C53_TenThousandDeepTreeOfTasksIsCancelledAndJoined) {
  run([] {
    constexpr int depth = 10'000;
    int started = 0;
    int unwound = 0;
    EXPECT_FALSE(CancellationScope::try_run([&](CancellationScope& scope) {
      create_task([&] { grow(depth, started, unwound); });
      while (started < depth) yield();
      settle();
      scope.cancel();
      checkpoint();
    }));
    EXPECT_EQ(depth, unwound);
  });
  EXPECT_EQ(0s, elapsed());
}

TEST_F(CancellationScopeTest, TheShieldOfAScopeWhoseTaskIsGoneIsOnlyAFlag) {
  run([] {
    CancellationScope scope;
    {
      const auto task = create_task([&] { scope.enter([] {}); });
      await(task);
    }
    scope.set_shield(true);
    EXPECT_TRUE(scope.shield());
    scope.set_shield(false);
    EXPECT_FALSE(scope.shield());
  });
}

}  // namespace
}  // namespace asyncio::test

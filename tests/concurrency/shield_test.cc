// Shields: what they keep out, what they do not, and how they end.
#include <optional>
#include <stdexcept>
#include <string>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/finally.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class ShieldTest : public LoopTest {};

TEST_F(ShieldTest, GivesTheBodysResult) {
  run([] {
    EXPECT_EQ(5, shield([] { return 5; }));
    EXPECT_EQ(6, shield_for(1s, [] { return 6; }));
    EXPECT_THROW(shield([] { throw std::out_of_range("own"); }), std::out_of_range);
  });
}

TEST_F(ShieldTest, C34_CancelledInsideItTheCancelShowsAtTheFirstCheckpointAfterIt) {
  run([&] {
    bool completed = false;
    bool left = false;
    auto task = create_task([&] {
      shield([&] {
        sleep(0.01);
        completed = true;
      });
      left = true;
      checkpoint();
      ADD_FAILURE() << "must throw";
    });
    settle();
    EXPECT_TRUE(task.cancel());
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_TRUE(completed);
    EXPECT_TRUE(left);
    EXPECT_EQ(10ms, elapsed());
  });
}

TEST_F(ShieldTest, C34_IsCancelledTellsWhatIsVisibleInside) {
  run([] {
    auto task = create_task([] {
      current_task().cancel();
      EXPECT_TRUE(is_cancelled());
      shield([] { EXPECT_FALSE(is_cancelled()); });
      EXPECT_TRUE(is_cancelled());
      return 1;
    });
    EXPECT_EQ(1, await(task));
  });
}

TEST_F(ShieldTest, C35_AroundACleanupOfACancelledTask) {
  run([&] {
    int slept = 0;
    auto task = create_task([&] {
      try {
        sleep(1h);
      } catch (const Cancelled&) {
        shield([&] {
          sleep(1s);
          ++slept;
          shield([] { sleep(1s); });
          ++slept;
          sleep(1s);  // the inner shield took nothing away from the outer
          ++slept;
        });
        EXPECT_THROW(sleep(1s), Cancelled);
        throw;
      }
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ(3, slept);
    EXPECT_EQ(3s, elapsed());
  });
}

TEST_F(ShieldTest, C35_LeftByAnExceptionItRestoresTheFormerDepth) {
  run([&] {
    auto task = create_task([] {
      current_task().cancel();
      shield([] {
        EXPECT_THROW(shield([] { throw std::out_of_range("own"); }), std::out_of_range);
        sleep(1s);  // still in the outer one
      });
      EXPECT_THROW(shield([] { throw std::out_of_range("own"); }), std::out_of_range);
      checkpoint();
      ADD_FAILURE() << "must throw";
    });
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(ShieldTest, C35_InADestructorOnTheUnwindPath) {
  run([&] {
    bool cleaned = false;
    auto task = create_task([&] {
      const Finally cleanup{[&] {
        shield([&] {
          sleep(1s);
          cleaned = true;
        });
      }};
      sleep(1h);
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_TRUE(cleaned);
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(ShieldTest, C36_ScopeInsideTheShieldIsCancelled) {
  run([&] {
    auto task = create_task([] {
      current_task().cancel();
      int after = 0;
      shield([&] {
        EXPECT_FALSE(CancellationScope::try_run([](CancellationScope& inner) {
          inner.cancel();
          sleep(1h);
        }));
        sleep(1s);  // shielded as before
        after = 1;
      });
      return after;
    });
    EXPECT_EQ(1, await(task));
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(ShieldTest, C36_OwnCancelOfTheShieldingScopeIsDelivered) {
  run([&] {
    CancellationScope shielding{{.shield = true}};
    auto task = create_task([&] {
      EXPECT_FALSE(shielding.enter([] { sleep(1h); }));
      return 1;
    });
    settle();
    shielding.cancel();
    EXPECT_EQ(1, await(task));
    EXPECT_TRUE(shielding.cancelled_caught());
    EXPECT_EQ(0s, elapsed());
  });
}

TEST_F(ShieldTest, C36_ShieldCancelledTogetherWithTheOutsideEndsTheShieldThenTheRest) {
  run([&] {
    CancellationScope outer;
    CancellationScope shielding{{.shield = true}};
    bool between = false;
    auto task = create_task([&] {
      outer.enter([&] {
        shielding.enter([] { sleep(1h); });
        between = true;
        sleep(1h);
      });
    });
    settle();
    outer.cancel();
    shielding.cancel();
    await(task);
    EXPECT_TRUE(between)
        << "nothing outside is visible to a shielding scope, so it absorbs its own";
    EXPECT_TRUE(shielding.cancelled_caught());
    EXPECT_TRUE(outer.cancelled_caught());
    EXPECT_EQ(0s, elapsed());
  });
}

TEST_F(ShieldTest, C37_SwitchedOffDuringAWaitTheWaitIsAborted) {
  run([&] {
    CancellationScope outer;
    CancellationScope shielding{{.shield = true}};
    auto task = create_task([&] {
      EXPECT_FALSE(outer.enter([&] {
        shielding.enter([] { sleep(1h); });
        ADD_FAILURE() << "the cancel belongs to the outer scope";
      }));
    });
    settle();
    outer.cancel();
    settle();
    EXPECT_FALSE(task.is_done());
    EXPECT_FALSE(shielding.is_cancelled());
    shielding.set_shield(false);
    EXPECT_TRUE(shielding.is_cancelled());
    await(task);
    EXPECT_TRUE(outer.cancelled_caught());
    EXPECT_FALSE(shielding.cancelled_caught());
    EXPECT_EQ(0s, elapsed());
  });
}

TEST_F(ShieldTest, C37_SwitchedOnOnceAnAbortIsUnderWayThatAbortStillCounts) {
  run([&] {
    CancellationScope outer;
    CancellationScope inner;
    int interrupted = 0;
    auto task = create_task([&] {
      EXPECT_FALSE(outer.enter([&] {
        inner.enter([&] {
          try {
            sleep(1h);
          } catch (const Cancelled&) {
            ++interrupted;
          }
          sleep(1s);  // now the shield is up
        });
        checkpoint();
        ADD_FAILURE() << "must throw";
      }));
    });
    settle();
    outer.cancel();
    inner.set_shield(true);
    await(task);
    EXPECT_EQ(1, interrupted);
    EXPECT_EQ(1s, elapsed());
    EXPECT_TRUE(outer.cancelled_caught());
  });
}

TEST_F(ShieldTest, C37_SwitchedOnInTimeItKeepsALaterCancelOut) {
  run([&] {
    CancellationScope scope;
    auto task = create_task([&] {
      scope.enter([] { sleep(1s); });
      EXPECT_THROW(checkpoint(), Cancelled);
      return 1;
    });
    settle();
    scope.set_shield(true);
    EXPECT_TRUE(scope.shield());
    task.cancel();
    EXPECT_EQ(1, await(task));
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(ShieldTest, TaskMadeInsideItIsShieldedToo) {
  run([&] {
    CancellationScope outer;
    bool done = false;
    auto task = create_task([&] {
      outer.enter([&] {
        shield([&] {
          await(create_task([&] {
            sleep(1s);
            done = true;
          }));
        });
      });
    });
    settle();
    outer.cancel();
    await(task);
    EXPECT_TRUE(done);
  });
}

// ---- shield_for ---------------------------------------------------------------------------------

TEST_F(ShieldTest, ShieldForPastItsTimeThrowsAfterTheBodyHasUnwound) {
  run([&] {
    bool unwound = false;
    auto task = create_task([&] {
      current_task().cancel();
      EXPECT_THROW(shield_for(1s,
                              [&] {
                                const Finally cleanup{[&] {
                                  shield([] { sleep(500ms); });
                                  unwound = true;
                                }};
                                sleep(1h);
                              }),
                   TimeoutException);
      EXPECT_TRUE(unwound);
      EXPECT_THROW(checkpoint(), Cancelled) << "the outside's cancel is still pending";
    });
    await(task);
    EXPECT_EQ(1500ms, elapsed());
  });
}

TEST_F(ShieldTest, ShieldForEndsACleanupThatHangsInADestructorOnTheUnwindPath) {
  run([&] {
    bool timed_out = false;
    auto task = create_task([&] {
      const Finally cleanup{[&] {
        try {
          shield_for(2s, [] { sleep(1h); });
        } catch (const TimeoutException&) {
          timed_out = true;
        }
      }};
      sleep(1h);
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_TRUE(timed_out);
    EXPECT_EQ(2s, elapsed());
  });
}

TEST_F(ShieldTest, ShieldForInTimeLeavesNoTimer) {
  run([&] {
    const std::size_t before = loop().statistics().timers;
    shield_for(1h, [] { sleep(1s); });
    EXPECT_EQ(before, loop().statistics().timers);
    EXPECT_EQ(1s, elapsed());
  });
}

}  // namespace
}  // namespace asyncio::test

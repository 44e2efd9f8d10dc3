// Deadlines of scopes and timeout(): when they are delivered, and who reports them.
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class DeadlineTest : public LoopTest {
 protected:
  std::size_t timers() { return loop().statistics().timers; }
};

TEST_F(DeadlineTest, ExpiredItEndsTheBodyAndTellsWhy) {
  run([&] {
    CancellationScope scope{{.timeout = 1s}};
    std::optional<CancelReason> reason;
    EXPECT_FALSE(scope.enter([&] {
      try {
        sleep(1h);
      } catch (const Cancelled& cancelled) {
        reason = cancelled.reason();
        throw;
      }
    }));
    EXPECT_EQ(CancelReason::deadline, reason);
    EXPECT_TRUE(scope.expired());
    EXPECT_TRUE(scope.cancel_called());
    EXPECT_TRUE(scope.cancelled_caught());
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(DeadlineTest, TimeoutCountsFromTheEntry) {
  run([&] {
    CancellationScope scope{{.timeout = 3s}};
    EXPECT_EQ(std::nullopt, scope.deadline());
    sleep(2s);
    EXPECT_FALSE(scope.enter([&] {
      EXPECT_EQ(std::optional{clock.now() + 3s}, scope.deadline());
      sleep(1h);
    }));
    EXPECT_EQ(5s, elapsed());
  });
}

TEST_F(DeadlineTest, OfTimeoutAndDeadlineTheEarlierCounts) {
  run([&] {
    EXPECT_FALSE(CancellationScope::try_run([] { sleep(1h); },
                                            {.timeout = 3s, .deadline = clock.now() + 1s}));
    EXPECT_EQ(1s, elapsed());
    EXPECT_FALSE(CancellationScope::try_run([] { sleep(1h); },
                                            {.timeout = 1s, .deadline = clock.now() + 3s}));
    EXPECT_EQ(2s, elapsed());
  });
}

TEST_F(DeadlineTest, ScopeCancelledByHandBeforeItsDeadlineIsNotExpired) {
  run([&] {
    CancellationScope scope{{.timeout = 1h}};
    EXPECT_FALSE(scope.enter([&] {
      scope.cancel();
      sleep(2h);
    }));
    EXPECT_FALSE(scope.expired());
    EXPECT_THROW(CancellationScope::run(
                     [](CancellationScope& inner) {
                       inner.cancel();
                       sleep(2h);
                     },
                     {.timeout = 1h}),
                 TaskCancelledException);
    EXPECT_EQ(0u, timers());
    EXPECT_EQ(0s, elapsed());
  });
}

// ---- A body that only computes ------------------------------------------------------------------

TEST_F(DeadlineTest, IsCancelledNoticesThatItHasPassed) {
  run([&] {
    CancellationScope scope{{.timeout = 1s}};
    EXPECT_FALSE(scope.enter([&] {
      EXPECT_FALSE(is_cancelled());
      clock.advance(1s);
      const ExpectNoSuspend no_suspend;
      EXPECT_TRUE(is_cancelled());
      EXPECT_TRUE(scope.expired());
      EXPECT_EQ(0u, timers());
      EXPECT_TRUE(is_cancelled());
      checkpoint();
    }));
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(DeadlineTest, IsCancelledNoticesThatOfAScopeAroundTheTask) {
  run([&] {
    EXPECT_THROW(timeout(1s,
                         [&] {
                           await(create_task([&] {
                             timeout(1h, [&] {
                               clock.advance(2s);
                               EXPECT_TRUE(is_cancelled());
                             });
                           }));
                           checkpoint();
                         }),
                 TimeoutException);
  });
}

TEST_F(DeadlineTest, IsCancelledNoticesNoneFromBeyondAShieldButTheShieldsOwn) {
  run([&] {
    EXPECT_THROW(timeout(1s,
                         [&] {
                           shield([&] {
                             clock.advance(2s);
                             EXPECT_FALSE(is_cancelled());
                           });
                           EXPECT_TRUE(is_cancelled());
                           checkpoint();
                         }),
                 TimeoutException);
    EXPECT_THROW(shield_for(1s,
                            [&] {
                              clock.advance(2s);
                              EXPECT_TRUE(is_cancelled());
                              checkpoint();
                            }),
                 TimeoutException);
  });
}

TEST_F(DeadlineTest, IsCancelledOfTwoThatHavePassedLeavesTheReportToTheOuter) {
  run([&] {
    bool inner_reported = false;
    EXPECT_THROW(timeout(2s,
                         [&] {
                           try {
                             timeout(1s, [&] {
                               clock.advance(3s);
                               EXPECT_TRUE(is_cancelled());
                               checkpoint();
                             });
                           } catch (const TimeoutException&) {
                             inner_reported = true;
                           }
                         }),
                 TimeoutException);
    EXPECT_FALSE(inner_reported);
  });
}

// ---- Moving it ----------------------------------------------------------------------------------

TEST_F(DeadlineTest, TheEffectiveOneIsTheEarliestAround) {
  run([&] {
    EXPECT_EQ(std::nullopt, current_effective_deadline());
    timeout(2s, [&] {
      const auto outer = clock.now() + 2s;
      EXPECT_EQ(outer, current_effective_deadline());
      timeout(3s, [&] { EXPECT_EQ(outer, current_effective_deadline()); });
      timeout(1s, [&] {
        EXPECT_EQ(clock.now() + 1s, current_effective_deadline());
        await(create_task([&] {
          EXPECT_EQ(clock.now() + 1s, current_effective_deadline()) << "a task's scopes count";
        }));
      });
      shield([&] { EXPECT_EQ(std::nullopt, current_effective_deadline()); });
      shield_for(3s, [&] { EXPECT_EQ(clock.now() + 3s, current_effective_deadline()); });
      CancellationScope::current()->set_deadline(std::nullopt);
      EXPECT_EQ(std::nullopt, current_effective_deadline());
    });
  });
}

TEST_F(DeadlineTest, TheEffectiveOneOfACancelledTaskHasPassed) {
  run([] {
    CancellationScope::try_run([](CancellationScope& scope) {
      scope.cancel();
      EXPECT_EQ(TimePoint::min(), current_effective_deadline());
      shield([] { EXPECT_EQ(std::nullopt, current_effective_deadline()); });
    });
    bool refused = false;
    call_soon([&] {
      try {
        current_effective_deadline();
      } catch (const NotInTaskError&) {
        refused = true;
      }
    });
    settle();
    EXPECT_TRUE(refused);
  });
}

TEST_F(DeadlineTest, C43_MovedIntoThePastItIsDeliveredAtTheNextCheckpoint) {
  run([&] {
    CancellationScope scope{{.timeout = 1h}};
    bool reached = false;
    EXPECT_FALSE(scope.enter([&] {
      scope.set_deadline(clock.now() - 1s);
      EXPECT_TRUE(scope.cancel_called());
      reached = true;  // not thrown inside set_deadline
      checkpoint();
      ADD_FAILURE() << "must throw";
    }));
    EXPECT_TRUE(reached);
    EXPECT_TRUE(scope.expired());
    EXPECT_EQ(0s, elapsed());
  });
}

TEST_F(DeadlineTest, C43_MovedIntoThePastByAnotherTaskItEndsTheWait) {
  run([&] {
    CancellationScope scope{{.timeout = 1h}};
    auto task = create_task([&] { return scope.enter([] { sleep(2h); }); });
    sleep(1s);
    scope.set_deadline(clock.now());
    EXPECT_FALSE(await(task));
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(DeadlineTest, C43_MovedToNeverItsTimerIsGone) {
  run([&] {
    CancellationScope scope{{.timeout = 1s}};
    EXPECT_TRUE(scope.enter([&] {
      const std::size_t with = timers();
      scope.set_deadline(std::nullopt);
      EXPECT_EQ(with - 1, timers());
      EXPECT_EQ(std::nullopt, scope.deadline());
      sleep(1h);
    }));
    EXPECT_FALSE(scope.cancel_called());
    EXPECT_EQ(1h, elapsed());
  });
}

TEST_F(DeadlineTest, C43_MovedLaterOrEarlierTheNewOneCounts) {
  run([&] {
    EXPECT_FALSE(CancellationScope::try_run(
        [&](CancellationScope& scope) {
          scope.set_deadline(clock.now() + 5s);
          sleep(1h);
        },
        {.timeout = 1s}));
    EXPECT_EQ(5s, elapsed());
    EXPECT_FALSE(CancellationScope::try_run(
        [&](CancellationScope& scope) {
          scope.set_deadline(clock.now() + 1s);
          sleep(1h);
        },
        {.timeout = 5s}));
    EXPECT_EQ(6s, elapsed());
  });
}

TEST_F(DeadlineTest, C43_ManyMovesLeaveOneTimer) {
  run([&] {
    const std::size_t before = timers();
    EXPECT_FALSE(CancellationScope::try_run([&](CancellationScope& scope) {
      for (int i = 0; i < 10'000; ++i) scope.set_deadline(clock.now() + 1h + i * 1ms);
      EXPECT_EQ(before + 1, timers());
      scope.set_deadline(clock.now() + 2s);
      EXPECT_EQ(before + 1, timers());
      sleep(1h);
    }));
    EXPECT_EQ(before, timers());
    EXPECT_EQ(2s, elapsed());
  });
}

TEST_F(DeadlineTest, C43_MovedBeforeItIsEntered) {
  run([&] {
    CancellationScope never{{.timeout = 1s}};
    never.set_deadline(std::nullopt);
    EXPECT_TRUE(never.enter([] { sleep(2s); }));
    CancellationScope sooner{{.timeout = 1h}};
    sooner.set_deadline(clock.now() + 1s);
    EXPECT_EQ(std::optional{clock.now() + 1s}, sooner.deadline());
    EXPECT_FALSE(sooner.enter([] { sleep(2s); }));
    EXPECT_EQ(3s, elapsed());
  });
}

TEST_F(DeadlineTest, C43_ExpiredItIsNotTakenBackByALaterOne) {
  run([&] {
    CancellationScope scope;
    EXPECT_FALSE(scope.enter([&] {
      scope.set_deadline(clock.now());
      scope.set_deadline(std::nullopt);
      checkpoint();
    }));
    EXPECT_TRUE(scope.expired());
  });
}

TEST_F(DeadlineTest, LeftInTimeTheTimerIsGoneHoweverTheBodyEnds) {
  run([&] {
    const std::size_t before = timers();
    timeout(1h, [] { yield(); });
    EXPECT_EQ(before, timers());
    EXPECT_THROW(timeout(1h, [] { throw std::out_of_range("own"); }), std::out_of_range);
    EXPECT_EQ(before, timers());
  });
}

TEST_F(DeadlineTest, EndlessTimeoutIsNone) {
  run([&] {
    EXPECT_EQ(1, timeout(std::numeric_limits<double>::infinity(), [] {
                sleep(24h);
                return 1;
              }));
    EXPECT_THROW(
        timeout(std::numeric_limits<double>::quiet_NaN(), [] { ADD_FAILURE() << "must not run"; }),
        std::invalid_argument);
  });
}

// ---- Nested -------------------------------------------------------------------------------------

TEST_F(DeadlineTest, C44_OfTwoDueInTheSameTurnTheOuterReports) {
  run([&] {
    bool inner_reported = false;
    EXPECT_THROW(timeout(1s,
                         [&] {
                           try {
                             timeout(1s, [] { sleep(1h); });
                           } catch (const TimeoutException&) {
                             inner_reported = true;
                           }
                         }),
                 TimeoutException);
    EXPECT_FALSE(inner_reported);
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(DeadlineTest, C44_InnerDueFirstButBothDueOnDeliveryTheOuterReports) {
  run([&] {
    CancellationScope outer{{.timeout = 2s}};
    CancellationScope inner{{.timeout = 1s}};
    EXPECT_FALSE(outer.enter([&] {
      inner.enter([&] {
        clock.advance(3s);  // a loop that was busy
        sleep(1h);
      });
      ADD_FAILURE() << "the inner scope must not absorb it";
    }));
    EXPECT_TRUE(outer.expired());
    EXPECT_TRUE(inner.expired());
    EXPECT_TRUE(outer.cancelled_caught());
    EXPECT_FALSE(inner.cancelled_caught());
  });
}

TEST_F(DeadlineTest, C44_InnerAloneIsTheInnersReport) {
  run([&] {
    bool inner_reported = false;
    timeout(2s, [&] {
      try {
        timeout(1s, [] { sleep(1h); });
      } catch (const TimeoutException&) {
        inner_reported = true;
      }
      sleep(500ms);
    });
    EXPECT_TRUE(inner_reported);
    EXPECT_EQ(1500ms, elapsed());
  });
}

TEST_F(DeadlineTest, OuterDueFirstPassesTheInnerOne) {
  run([&] {
    CancellationScope inner{{.timeout = 2s}};
    EXPECT_THROW(timeout(1s, [&] { inner.enter([] { sleep(1h); }); }), TimeoutException);
    EXPECT_FALSE(inner.cancel_called());
    EXPECT_EQ(1s, elapsed());
  });
}

// ---- No time at all -----------------------------------------------------------------------------

TEST_F(DeadlineTest, C45_WithoutTimeABodyThatNeverSuspendsCompletes) {
  run([] {
    EXPECT_EQ(1, timeout(0, [] { return 1; }));
    EXPECT_EQ(2, timeout(-1s, [] { return 2; }));
    EXPECT_EQ(3, timeout(-0.5, [] { return 3; }));
  });
}

TEST_F(DeadlineTest, C45_WithoutTimeTheFirstSuspendingCallEndsIt) {
  run([&] {
    bool began = false;
    EXPECT_THROW(timeout(0s,
                         [&] {
                           began = true;
                           checkpoint();
                           ADD_FAILURE() << "must throw";
                         }),
                 TimeoutException);
    EXPECT_TRUE(began);
    EXPECT_THROW(timeout(-1, [] { sleep(0); }), TimeoutException);
    EXPECT_EQ(0s, elapsed());
  });
}

// ---- In the same turn ---------------------------------------------------------------------------

TEST_F(DeadlineTest, C46_ReadyInTheTurnOfItsDeadlineTheResultWins) {
  run([&] {
    const SocketPair pair;
    CancellationScope scope{{.timeout = 1s}};
    auto reader = create_task([&] {
      const std::optional<std::string> got = scope.enter([&] {
        wait_readable(pair.a());
        return pair.read(0);
      });
      return got.value_or("timeout");
    });
    settle();
    clock.advance(2s);
    pair.write(1, "x");
    EXPECT_EQ("x", await(reader));
    EXPECT_TRUE(scope.expired()) << "its time did run out";
    EXPECT_FALSE(scope.cancelled_caught()) << "but it ended nothing";
  });
}

TEST_F(DeadlineTest, C46_CompletedBeforeItsDeadlineItIsNotExpired) {
  run([] {
    CancellationScope scope{{.timeout = 1s}};
    EXPECT_TRUE(scope.enter([] { sleep(999ms); }));
    EXPECT_FALSE(scope.expired());
    EXPECT_FALSE(scope.cancel_called());
  });
}

// ---- Other ends ---------------------------------------------------------------------------------

TEST_F(DeadlineTest, C50_ForeignExceptionAfterTheExpiryWins) {
  run([] {
    CancellationScope scope{{.timeout = 1s}};
    EXPECT_THROW(scope.enter([] {
      try {
        sleep(1h);
      } catch (const Cancelled&) {
        throw std::out_of_range("foreign");
      }
    }),
                 std::out_of_range);
    EXPECT_TRUE(scope.expired()) << "what was behind it can still be asked";
    EXPECT_FALSE(scope.cancelled_caught());
    checkpoint();
  });
}

TEST_F(DeadlineTest, C50_CancelBySomebodyElseIsAnUnwindNotATimeout) {
  run([&] {
    bool timed_out = false;
    auto task = create_task([&] {
      try {
        timeout(2s, [] { sleep(1h); });
      } catch (const TimeoutException&) {
        timed_out = true;
      }
    });
    sleep(1s);
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_FALSE(timed_out);
    EXPECT_EQ(0u, timers());
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(DeadlineTest, C50_ExpiryDuringSomebodyElsesUnwindIsStillNoTimeout) {
  run([&] {
    auto task = create_task([] {
      timeout(2s, [] {
        try {
          sleep(1h);
        } catch (const Cancelled&) {
          shield([] { sleep(3s); });
          throw;
        }
      });
    });
    sleep(1s);
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ(4s, elapsed());
  });
}

TEST_F(DeadlineTest, C51_InAShieldedCleanupOfACancelledTaskItWorksAsEver) {
  run([&] {
    bool timed_out = false;
    bool in_time = false;
    auto task = create_task([&] {
      try {
        sleep(1h);
      } catch (const Cancelled&) {
        shield([&] {
          try {
            timeout(1s, [] { sleep(1h); });
          } catch (const TimeoutException&) {
            timed_out = true;
          }
          timeout(2s, [] { sleep(1s); });
          in_time = true;
        });
        throw;
      }
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_TRUE(timed_out);
    EXPECT_TRUE(in_time);
    EXPECT_EQ(2s, elapsed());
  });
}

TEST_F(DeadlineTest, C51_InAShieldInADestructorOnTheUnwindPathToo) {
  run([&] {
    bool timed_out = false;
    auto task = create_task([&] {
      struct Cleanup {
        bool& timed_out;
        ~Cleanup() {
          shield([this] {
            try {
              timeout(1s, [] { sleep(1h); });
            } catch (const TimeoutException&) {
              timed_out = true;
            }
          });
        }
      } cleanup{timed_out};
      sleep(1h);
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_TRUE(timed_out);
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(DeadlineTest, TheRootTakesOneForTheRunAndCannotBeEntered) {
  run([&] {
    call_soon([&] {
      CancellationScope* root = CancellationScope::current();
      root->set_deadline(get_event_loop().now() + 1s);
      EXPECT_EQ(get_event_loop().now() + 1s, root->deadline());
      EXPECT_THROW(root->enter([] {}), Error);
    });
    EXPECT_THROW(sleep(1h), Cancelled);
    EXPECT_EQ(1s, elapsed());
  });
  run([&] { sleep(1h); });  // the next run has none
}

}  // namespace
}  // namespace asyncio::test

// Resources and their scopes: who closes them, when, in which order, and what may go wrong.
#include <algorithm>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

using Manager = AsyncResourceManager;

// Writes down what is done to it; `body` is what its close() does.
class Probe : public AsyncResource {
 public:
  Probe(std::string name, std::vector<std::string>& log, std::function<void()> body = {})
      : name_(std::move(name)), log_(log), body_(std::move(body)) {}

  void close() override {
    ++closes_;
    log_.push_back("close " + name_);
    if (body_) body_();
    closed_ = true;
    log_.push_back(name_ + " closed");
  }
  bool is_closed() const noexcept override { return closed_; }
  void on_cancellation() noexcept override { log_.push_back("cancel " + name_); }

  int closes() const { return closes_; }

 private:
  std::string name_;
  std::vector<std::string>& log_;
  std::function<void()> body_;
  int closes_ = 0;
  bool closed_ = false;
};

class AsyncResourceManagerTest : public LoopTest {
 protected:
  using Log = std::vector<std::string>;

  std::shared_ptr<Probe> make(std::string name, std::function<void()> body = {}) {
    return std::make_shared<Probe>(std::move(name), log, std::move(body));
  }
  std::shared_ptr<Probe> add(std::string name, std::function<void()> body = {}) {
    auto probe = make(std::move(name), std::move(body));
    Manager::add(probe);
    return probe;
  }

  Log log;
};

// ---- Whose it is --------------------------------------------------------------------------------

TEST_F(AsyncResourceManagerTest, BelongsToTheScopeCurrentWhenItIsAdded) {
  run([&] {
    CancellationScope::run([&](CancellationScope& outer) {
      add("outer");
      CancellationScope::run([&](CancellationScope& inner) {
        add("inner");
        EXPECT_EQ(1u, Manager::resource_count(inner));
        EXPECT_EQ(1u, Manager::resource_count(outer));
      });
      EXPECT_EQ((Log{"close inner", "inner closed"}), log);
      EXPECT_EQ(1u, Manager::resource_count(outer));
      log.clear();
    });
    EXPECT_EQ((Log{"close outer", "outer closed"}), log);
  });
}

TEST_F(AsyncResourceManagerTest, AddedInATaskItBelongsToTheScopeThatOwnsTheTask) {
  run([&] {
    CancellationScope::run([&](CancellationScope& scope) {
      await(create_task([&] { add("a"); }));
      EXPECT_TRUE(log.empty()) << "a task may end before what it opened";
      EXPECT_EQ(1u, Manager::resource_count(scope));
    });
    EXPECT_EQ((Log{"close a", "a closed"}), log);
  });
}

TEST_F(AsyncResourceManagerTest, LastAddedFirstClosedOneAtATime) {
  run([&] {
    CancellationScope::run([&] {
      for (const char* name : {"a", "b", "c"}) add(name, [] { sleep(1s); });
    });
    EXPECT_EQ((Log{"close c", "c closed", "close b", "b closed", "close a", "a closed"}), log);
    EXPECT_EQ(3s, elapsed());
  });
}

TEST_F(AsyncResourceManagerTest, ClosedAfterTheTasksOfTheScopeHaveEnded) {
  run([&] {
    CancellationScope::run([&] {
      add("a");
      create_task([&] {
        try {
          sleep(1h);
        } catch (const Cancelled&) {
          shield([] { sleep(1s); });
          log.push_back("task ended");
          throw;
        }
      });
      settle();
    });
    EXPECT_EQ((Log{"task ended", "close a", "a closed"}), log);
  });
}

TEST_F(AsyncResourceManagerTest, ABodyThatThrowsEndsTheScopeNormallyAsFarAsResourcesKnow) {
  run([&] {
    EXPECT_THROW(CancellationScope::run([&] {
                   add("a");
                   throw std::runtime_error("body");
                 }),
                 std::runtime_error);
    EXPECT_EQ((Log{"close a", "a closed"}), log);
  });
}

TEST_F(AsyncResourceManagerTest, EveryKindOfScopeClosesWhatItHolds) {
  run([&] {
    const auto expect_closed = [&](const char* kind) {
      EXPECT_EQ((Log{"close a", "a closed"}), log) << kind;
      log.clear();
    };
    shield([&] { add("a"); });
    expect_closed("shield");
    timeout(1s, [&] { add("a"); });
    expect_closed("timeout");
    CancellationScope scope;
    scope.enter([&] { add("a"); });
    expect_closed("a scope as an object");
    TaskGroup::run([&](TaskGroup&) { add("a"); });
    expect_closed("TaskGroup::run");
    {
      TaskGroup group;
      group.spawn([&] { add("a"); });
      group.wait_all();
      EXPECT_TRUE(log.empty());
    }
    expect_closed("TaskGroup");
  });
}

TEST_F(AsyncResourceManagerTest, S13_OfAGroupThatOutlivesItsScopeIsClosedWithTheScope) {
  run([&] {
    std::unique_ptr<TaskGroup> group;
    CancellationScope::run([&] {
      group = std::make_unique<TaskGroup>();
      group->spawn([&] { add("a"); });
      settle();
    });
    EXPECT_EQ((Log{"cancel a", "close a", "a closed"}), log);
  });
}

TEST_F(AsyncResourceManagerTest, S44_TheRootScopeEndsWithTheRun) {
  run([&] {
    add("a", [] { sleep(1s); });
    add("b");
  });
  EXPECT_EQ((Log{"close b", "b closed", "close a", "a closed"}), log);
  EXPECT_EQ(1s, elapsed());
  log.clear();
  run([&] { add("again"); });
  EXPECT_EQ((Log{"close again", "again closed"}), log);
}

TEST_F(AsyncResourceManagerTest, S44_StopDuringTheCloseOfTheRootsDoesNotCutItShort) {
  run([&] {
    Manager::add(make("a", [&] {
      loop().stop();
      sleep(1s);
    }));
  });
  EXPECT_EQ((Log{"close a", "a closed"}), log);
}

TEST_F(AsyncResourceManagerTest, C54_ShutdownEndsTheTasksFirst) {
  run([&] {
    add("a");
    create_task([&] {
      try {
        sleep(1h);
      } catch (const Cancelled&) {
        log.push_back("leftover unwound");
        throw;
      }
    });
    settle();
  });
  EXPECT_EQ((Log{"leftover unwound", "close a", "a closed"}), log)
      << "main returned, so for the resource it is no cancellation";
}

TEST_F(AsyncResourceManagerTest, C54_ALoopThatGoesClosesWhatIsLeftInItsRoot) {
  loop().create_task([&] { add("a"); });
  run();
  EXPECT_EQ(Log{}, log);
  end_loop();
  EXPECT_EQ((Log{"close a", "a closed"}), log);
}

TEST_F(AsyncResourceManagerTest, S45_AMainThatFailsLosesNoResource) {
  EXPECT_THROW(run([&] {
                 add("a");
                 throw std::runtime_error("main");
               }),
               std::runtime_error);
  EXPECT_EQ((Log{"close a", "a closed"}), log);
}

// ---- Cancellation -------------------------------------------------------------------------------

TEST_F(AsyncResourceManagerTest, OnCancellationComesBeforeEachCloseOfACancelledScope) {
  run([&] {
    EXPECT_FALSE(CancellationScope::try_run([&](CancellationScope& scope) {
      add("a");
      add("b");
      scope.cancel();
      sleep(1h);
    }));
    EXPECT_EQ((Log{"cancel b", "close b", "b closed", "cancel a", "close a", "a closed"}), log);
  });
}

TEST_F(AsyncResourceManagerTest, EveryReasonToCancelIsOne) {
  run([&] {
    const Log expected{"cancel a", "close a", "a closed"};
    EXPECT_THROW(timeout(1s,
                         [&] {
                           add("a");
                           sleep(1h);
                         }),
                 TimeoutException);
    EXPECT_EQ(expected, log) << "a deadline";
    log.clear();
    auto task = create_task([&] {
      CancellationScope::run([&] {
        add("a");
        sleep(1h);
      });
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ(expected, log) << "the task around the scope";
    log.clear();
    EXPECT_THROW(TaskGroup::run([&](TaskGroup& group) {
                   add("a");
                   group.spawn([] { throw std::runtime_error("child"); });
                   sleep(1h);
                 }),
                 ExceptionGroup);
    EXPECT_EQ(expected, log) << "a failing sibling";
  });
}

TEST_F(AsyncResourceManagerTest, C40_ACancelThatNobodySawIsOneAllTheSame) {
  run([&] {
    CancellationScope::run([&](CancellationScope& scope) {
      add("a");
      scope.cancel();
    });
    EXPECT_EQ((Log{"cancel a", "close a", "a closed"}), log);
  });
}

TEST_F(AsyncResourceManagerTest, LeftoverTasksOfAScopeDoNotMakeItsEndACancellation) {
  run([&] {
    CancellationScope::run([&] {
      add("a");
      create_task([] { sleep(1h); });
      settle();
    });
    EXPECT_EQ((Log{"close a", "a closed"}), log);
  });
}

TEST_F(AsyncResourceManagerTest, C30_CloseMaySuspendWhileItsTaskUnwinds) {
  run([&] {
    auto task = create_task([&] {
      CancellationScope::run([&] {
        add("a", [] { sleep(1s); });
        sleep(1h);
      });
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ((Log{"cancel a", "close a", "a closed"}), log);
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(AsyncResourceManagerTest, C30_CloseMaySuspendInTheDestructorOfAGroupWhileAnErrorPasses) {
  run([&] {
    EXPECT_THROW(([&] {
                   TaskGroup group;
                   group.spawn([&] { add("a", [] { sleep(1s); }); });
                   settle();
                   throw std::runtime_error("owner");
                 }()),
                 std::runtime_error);
    EXPECT_EQ((Log{"close a", "a closed"}), log);
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(AsyncResourceManagerTest, C31_ACancelDuringCloseWaitsUntilAllAreClosed) {
  run([&] {
    bool left = false;
    auto task = create_task([&] {
      CancellationScope::run([&] {
        add("a", [] { sleep(1s); });
        add("b", [] { sleep(1s); });
      });
      left = true;
      checkpoint();
      ADD_FAILURE() << "must throw";
    });
    sleep(500ms);
    EXPECT_TRUE(task.cancel());
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_TRUE(left);
    EXPECT_EQ((Log{"close b", "b closed", "close a", "a closed"}), log);
    EXPECT_EQ(2s, elapsed());
  });
}

TEST_F(AsyncResourceManagerTest, C31_TheScopesOwnDeadlineDoesNotReachItsCloses) {
  run([&] {
    timeout(1s, [&] { add("a", [] { sleep(10s); }); });
    EXPECT_EQ((Log{"close a", "a closed"}), log);
    EXPECT_EQ(10s, elapsed());
  });
}

TEST_F(AsyncResourceManagerTest, C32_ACancelPendingAtANormalEndShowsAfterTheClose) {
  run([&] {
    bool left = false;
    auto task = create_task([&] {
      CancellationScope::run([&] {
        add("a", [] {
          EXPECT_FALSE(is_cancelled());
          sleep(1s);
        });
        current_task().cancel();
      });
      left = true;
      checkpoint();
      ADD_FAILURE() << "must throw";
    });
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_TRUE(left);
    EXPECT_EQ((Log{"cancel a", "close a", "a closed"}), log);
  });
}

TEST_F(AsyncResourceManagerTest, C33_CloseMayStartATaskAndJoinItAlsoWhileUnwinding) {
  run([&] {
    const auto close = [&] {
      EXPECT_EQ(5, await(create_task([] {
                  sleep(1s);
                  return 5;
                })));
      TaskGroup group;
      auto child = group.spawn([] { sleep(1h); });
      settle();
      child.cancel();
      group.wait_all();
      EXPECT_EQ(TaskState::cancelled, child.state());
    };
    CancellationScope::run([&] { add("a", close); });
    EXPECT_FALSE(CancellationScope::try_run([&](CancellationScope& scope) {
      add("b", close);
      scope.cancel();
      sleep(1h);
    }));
    EXPECT_EQ((Log{"close a", "a closed", "cancel b", "close b", "b closed"}), log);
  });
}

TEST_F(AsyncResourceManagerTest, C33_ATaskThatCloseLeavesBehindEndsWithTheClose) {
  Task<void> left;
  bool unwound = false;
  const auto close = [&] {
    left = create_task([&] {
      try {
        sleep(1h);
      } catch (const Cancelled&) {
        unwound = true;
        throw;
      }
    });
    settle();
  };
  run([&] {
    CancellationScope::run([&] { add("a", close); });
    EXPECT_TRUE(unwound);
    EXPECT_EQ(TaskState::cancelled, left.state());
    unwound = false;
    add("root's", close);
  });
  EXPECT_TRUE(unwound);
  EXPECT_EQ(TaskState::cancelled, left.state());
  EXPECT_EQ(Duration::zero(), elapsed());
}

TEST_F(AsyncResourceManagerTest, C36_CloseMayCancelItself) {
  run([&] {
    CancellationScope::run([&] {
      add("a", [] {
        CancellationScope::current()->cancel("enough");
        sleep(1h);
      });
      add("b");
    });
    EXPECT_EQ((Log{"close b", "b closed", "close a"}), log);
    EXPECT_EQ(Duration::zero(), elapsed());
    ASSERT_EQ(1u, reports.size());
    EXPECT_TRUE(contains(reports[0], "enough")) << reports[0];
    reports.clear();
  });
}

TEST_F(AsyncResourceManagerTest, C51_ATimeoutInsideCloseTimesOutNormally) {
  run([&] {
    int timed_out = 0;
    const auto close = [&] {
      EXPECT_THROW(timeout(1s, [] { sleep(1h); }), TimeoutException);
      EXPECT_THROW(wait_for([] { sleep(1h); }, 1s), TimeoutException);
      EXPECT_THROW(shield_for(1s, [] { sleep(1h); }), TimeoutException);
      ++timed_out;
    };
    CancellationScope::run([&] { add("a", close); });
    EXPECT_EQ(3s, elapsed());
    auto task = create_task([&] {
      CancellationScope::run([&] {
        add("b", close);
        sleep(1h);
      });
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ(6s, elapsed());
    EXPECT_THROW(([&] {
                   TaskGroup group;
                   group.spawn([&] { add("c", close); });
                   settle();
                   throw std::runtime_error("owner");
                 }()),
                 std::runtime_error);
    EXPECT_EQ(9s, elapsed());
    EXPECT_EQ(3, timed_out);
    checkpoint();
  });
}

// ---- Closes that fail ---------------------------------------------------------------------------

TEST_F(AsyncResourceManagerTest, ACloseThatThrowsIsReportedAndTheRestGoOn) {
  run([&] {
    CancellationScope::run(
        [&] {
          add("a");
          add("b", [] { throw std::runtime_error("no luck"); });
          add("c");
        },
        {.name = "request"});
    EXPECT_EQ((Log{"close c", "c closed", "close b", "close a", "a closed"}), log);
    ASSERT_EQ(1u, reports.size());
    for (const char* part : {"close", "Probe", "'request'", "no luck"}) {
      EXPECT_TRUE(contains(reports[0], part)) << reports[0];
    }
    reports.clear();
  });
}

TEST_F(AsyncResourceManagerTest, ACloseThatThrowsAnythingHarmsNobody) {
  run([&] {
    std::exception_ptr stolen;
    auto task = create_task([&] {
      try {
        sleep(1h);
      } catch (const Cancelled&) {
        stolen = std::current_exception();
        throw;
      }
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    const auto add_both = [&] {
      add("number", [] { throw 7; });
      add("foreign cancel", [&] { std::rethrow_exception(stolen); });
    };
    CancellationScope::run(add_both);
    EXPECT_EQ(2u, reports.size());
    {
      TaskGroup group;
      group.spawn(add_both);
      group.wait_all();
    }
    EXPECT_EQ(4u, reports.size());
    reports.clear();
    checkpoint();
  });
}

TEST_F(AsyncResourceManagerTest, ACloseThatFailedIsNotTriedAgain) {
  run([&] {
    std::shared_ptr<Probe> probe;
    CancellationScope::run([&] {
      CancellationScope& scope = *CancellationScope::current();
      probe = add("a", [] { throw std::runtime_error("no luck"); });
      EXPECT_EQ(0u, Manager::close_scope(scope));
      EXPECT_EQ(0u, Manager::resource_count(scope));
    });
    EXPECT_EQ(1, probe->closes());
    EXPECT_EQ(1u, reports.size());
    reports.clear();
  });
}

TEST_F(AsyncResourceManagerTest, AFailingCloseDoesNotReplaceTheErrorOfTheBody) {
  run([&] {
    EXPECT_EQ("body", message_of<std::runtime_error>([&] {
                CancellationScope::run([&] {
                  add("a", [] { throw std::runtime_error("close"); });
                  throw std::runtime_error("body");
                });
              }));
    EXPECT_EQ(1u, reports.size());
    reports.clear();
  });
}

TEST_F(AsyncResourceManagerTest, AnExceptionHandlerThatUsesTheManagerDoesNoHarm) {
  run([&] {
    int told = 0;
    get_event_loop().set_exception_handler([&](const ExceptionContext&) {
      ++told;
      Manager::stats();
      Manager::detect_leaks();
    });
    CancellationScope::run([&] { add("a", [] { throw std::runtime_error("no luck"); }); });
    EXPECT_EQ(1, told);
  });
}

// ---- Once ---------------------------------------------------------------------------------------

TEST_F(AsyncResourceManagerTest, OneThatIsClosedAlreadyIsLeftAlone) {
  run([&] {
    CancellationScope::run([&](CancellationScope& scope) {
      auto by_hand = add("a");
      by_hand->close();
      log.clear();
      scope.cancel();
    });
    EXPECT_TRUE(log.empty());
  });
}

TEST_F(AsyncResourceManagerTest, AddingOneThatAScopeHoldsIsAnError) {
  run([&] {
    const auto refused = [](const std::shared_ptr<AsyncResource>& resource) {
      const std::string said = message_of<InvalidStateError>([&] { Manager::add(resource); });
      EXPECT_TRUE(said.starts_with("AsyncResourceManager::add")) << said;
      EXPECT_TRUE(contains(said, "holds this resource already")) << said;
      EXPECT_TRUE(contains(said, "remove")) << said;
    };
    auto probe = add("a");
    refused(probe);
    CancellationScope::run([&] { refused(probe); });
    // Also in a scope that does not lie around this one.
    Event go;
    auto sibling = create_task([&] {
      CancellationScope::run([&] {
        auto other = add("b");
        refused(probe);
        probe = other;
        go.wait();
      });
    });
    settle();
    refused(probe);
    go.set();
    await(sibling);
    EXPECT_EQ(1, probe->closes());
    Manager::add(probe);  // nobody holds it any more
    EXPECT_TRUE(Manager::remove(probe));
  });
}

TEST_F(AsyncResourceManagerTest, AddingOneThatIsBeingClosedIsAnError) {
  run([&] {
    std::shared_ptr<Probe> probe;
    auto closer = create_task([&] {
      CancellationScope::run([&] {
        probe = add("a", [&] {
          sleep(1s);
          EXPECT_THROW(Manager::add(probe), InvalidStateError);
        });
      });
    });
    settle();
    EXPECT_THROW(Manager::add(probe), InvalidStateError);
    EXPECT_FALSE(Manager::remove(probe));
    await(closer);
    EXPECT_EQ(1, probe->closes());
  });
}

TEST_F(AsyncResourceManagerTest, AResourceAtTheAddressOfOneThatIsGoneIsAnother) {
  run([&] {
    for (int i = 0; i < 100; ++i) {
      CancellationScope::run([&] { add("a"); });
      CancellationScope::run([&] { Manager::remove(add("b")); });
    }
  });
  EXPECT_EQ(200u, log.size());
}

// ---- Bad input ----------------------------------------------------------------------------------

TEST_F(AsyncResourceManagerTest, AddingNothingIsAnErrorThatTeaches) {
  run([] {
    const std::string said = message_of<std::invalid_argument>([] { Manager::add(nullptr); });
    EXPECT_TRUE(said.starts_with("AsyncResourceManager::add")) << said;
    EXPECT_FALSE(Manager::remove(nullptr));
  });
}

TEST_F(AsyncResourceManagerTest, OutsideATaskItIsAnErrorThatTeaches) {
  const auto check = [&] {
    const std::string said = message_of<NotInTaskError>([&] { Manager::add(make("a")); });
    EXPECT_TRUE(said.starts_with("AsyncResourceManager::add")) << said;
    EXPECT_TRUE(contains(said, "create_task")) << said;
  };
  check();
  run([&] {
    CancellationScope& scope = *CancellationScope::current();
    bool called = false;
    call_soon([&] {
      check();
      EXPECT_TRUE(message_of<NotInTaskError>([&] {
                    Manager::close_scope(scope);
                  }).starts_with("AsyncResourceManager::close_scope"));
      called = true;
    });
    settle();
    EXPECT_TRUE(called);
  });
  EXPECT_TRUE(log.empty());
}

TEST_F(AsyncResourceManagerTest, InsideANoSuspendScopeClosingIsAnErrorAndNothingIsLost) {
  run([&] {
    CancellationScope::run([&](CancellationScope& scope) {
      add("a");
      {
        const NoSuspend critical;
        EXPECT_THROW(Manager::close_scope(scope), InvalidStateError);
        EXPECT_EQ(1u, Manager::resource_count(scope));
      }
    });
    EXPECT_EQ((Log{"close a", "a closed"}), log);
  });
}

// ---- By hand ------------------------------------------------------------------------------------

TEST_F(AsyncResourceManagerTest, RemoveHandsItBackOpen) {
  run([&] {
    CancellationScope::run([&](CancellationScope& scope) {
      auto kept = add("a");
      add("b");
      EXPECT_TRUE(Manager::remove(kept));
      EXPECT_FALSE(Manager::remove(kept));
      EXPECT_EQ(1u, Manager::resource_count(scope));
    });
    EXPECT_EQ((Log{"close b", "b closed"}), log);
  });
}

TEST_F(AsyncResourceManagerTest, RemoveFindsItInWhicheverScopeHoldsIt) {
  run([&] {
    auto outer = add("a");
    CancellationScope::run([&] { EXPECT_TRUE(Manager::remove(outer)); });
    Event go;
    std::shared_ptr<Probe> elsewhere;
    auto other = create_task([&] {
      CancellationScope::run([&] {
        elsewhere = add("b");
        go.wait();
      });
    });
    settle();
    EXPECT_TRUE(Manager::remove(elsewhere));
    auto again = add("c");
    bool called = false;
    call_soon([&] {
      EXPECT_TRUE(Manager::remove(again));
      called = true;
    });
    settle();
    EXPECT_TRUE(called);
    go.set();
    await(other);
  });
  EXPECT_TRUE(log.empty());
}

TEST_F(AsyncResourceManagerTest, CloseScopeClosesNowAndCounts) {
  run([&] {
    CancellationScope::run([&](CancellationScope& scope) {
      add("a", [] { sleep(1s); });
      add("b");
      add("c")->close();
      log.clear();
      EXPECT_EQ(2u, Manager::close_scope(scope));
      EXPECT_EQ((Log{"close b", "b closed", "close a", "a closed"}), log);
      EXPECT_EQ(0u, Manager::resource_count(scope));
      EXPECT_EQ(0u, Manager::close_scope(scope));
      log.clear();
      add("later");
    });
    EXPECT_EQ((Log{"close later", "later closed"}), log);
  });
}

TEST_F(AsyncResourceManagerTest, CloseScopeOfAScopeWithoutResourcesIsNothing) {
  run([] {
    CancellationScope unused;
    EXPECT_EQ(0u, Manager::resource_count(unused));
    EXPECT_EQ(0u, Manager::close_scope(unused));
  });
}

TEST_F(AsyncResourceManagerTest, CloseScopeOfACancelledScopeTellsTheResourcesFirst) {
  run([&] {
    EXPECT_FALSE(CancellationScope::try_run([&](CancellationScope& scope) {
      add("a", [] { sleep(1s); });
      scope.cancel();
      EXPECT_EQ(1u, Manager::close_scope(scope)) << "cleanup: no cancel is delivered inside";
      EXPECT_EQ((Log{"cancel a", "close a", "a closed"}), log);
      checkpoint();
      ADD_FAILURE() << "must throw";
    }));
  });
}

TEST_F(AsyncResourceManagerTest, C31_ACancelDuringCloseScopeShowsAfterIt) {
  run([&] {
    std::size_t closed = 0;
    auto task = create_task([&] {
      CancellationScope::run([&](CancellationScope& scope) {
        add("a", [] { sleep(1s); });
        add("b", [] { sleep(1s); });
        closed = Manager::close_scope(scope);
        checkpoint();
        ADD_FAILURE() << "must throw";
      });
    });
    sleep(500ms);
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ(2u, closed);
    EXPECT_EQ(2s, elapsed());
  });
}

TEST_F(AsyncResourceManagerTest, TwoTasksThatCloseOneScopeShareTheWork) {
  run([&] {
    CancellationScope::run([&](CancellationScope& scope) {
      std::vector<std::shared_ptr<Probe>> probes;
      for (int i = 0; i < 4; ++i) probes.push_back(add("a", [] { sleep(1s); }));
      auto close = [&] { return Manager::close_scope(scope); };
      auto [first, second] = gather(create_task(close), create_task(close));
      EXPECT_EQ(4u, first + second);
      for (const auto& probe : probes) EXPECT_EQ(1, probe->closes());
      EXPECT_EQ(2s, elapsed());
    });
  });
}

TEST_F(AsyncResourceManagerTest, AScopeThatEndsWhileAnotherTaskClosesItWaitsForThat) {
  run([&] {
    CancellationScope* scope = nullptr;
    Event closing;
    std::size_t closed = 0;
    auto owner = create_task([&] {
      CancellationScope::run([&](CancellationScope& mine) {
        scope = &mine;
        add("a");
        add("b", [] { sleep(1s); });
        closing.wait();
      });
      log.push_back("scope ended");
    });
    settle();
    auto closer = create_task([&] { closed = Manager::close_scope(*scope); });
    settle();
    closing.set();
    await(owner);
    await(closer);
    EXPECT_EQ((Log{"close b", "close a", "a closed", "b closed", "scope ended"}), log);
    EXPECT_EQ(1u, closed);
  });
}

TEST_F(AsyncResourceManagerTest, CloseMayAddAndRemoveOthers) {
  run([&] {
    std::shared_ptr<Probe> removed;
    CancellationScope::run([&] {
      removed = add("removed");
      add("a", [&] {
        add("added");
        EXPECT_TRUE(Manager::remove(removed));
      });
    });
    EXPECT_EQ((Log{"close a", "a closed", "close added", "added closed"}), log);
    EXPECT_EQ(0, removed->closes());
  });
}

TEST_F(AsyncResourceManagerTest, CloseMayCloseTheRestOfItsScope) {
  run([&] {
    CancellationScope::run([&](CancellationScope& scope) {
      add("a");
      add("b");
      add("c", [&] { EXPECT_EQ(2u, Manager::close_scope(scope)); });
    });
    EXPECT_EQ((Log{"close c", "close b", "b closed", "close a", "a closed", "c closed"}), log);
  });
}

// ---- Outliving ----------------------------------------------------------------------------------

TEST_F(AsyncResourceManagerTest, OneThatOutlivesItsScopeIsClosedAndGoesWithItsLastHolder) {
  std::shared_ptr<Probe> probe;
  run([&] {
    CancellationScope::run([&] { probe = add("a"); });
    EXPECT_TRUE(probe->is_closed());
    EXPECT_EQ(1, probe.use_count());
    EXPECT_FALSE(Manager::remove(probe));
  });
}

TEST_F(AsyncResourceManagerTest, OneThatOutlivesItsLoopIsClosedAndKnowsNothingOfIt) {
  std::shared_ptr<Probe> probe;
  run([&] { probe = add("a"); });
  end_loop();
  EXPECT_TRUE(probe->is_closed());
  EXPECT_EQ(1, probe.use_count());
  EXPECT_FALSE(Manager::remove(probe));
  probe.reset();
}

TEST_F(AsyncResourceManagerTest, OneWhoseCloseFailedIsALeakUntilSomebodySeesToIt) {
  std::shared_ptr<Probe> probe;
  bool broken = true;  // out here: it is closed at last when main has ended
  run([&] {
    CancellationScope::run([&] {
      probe = add("a", [&] {
        if (broken) throw std::runtime_error("busy");
      });
      EXPECT_TRUE(Manager::detect_leaks().empty());
    });
    EXPECT_FALSE(probe->is_closed());
    EXPECT_EQ((std::vector<std::shared_ptr<AsyncResource>>{probe}), Manager::detect_leaks());
    EXPECT_EQ(1u, Manager::detect_leaks().size()) << "each time it is asked";
    broken = false;
    Manager::add(probe);  // the way to repair it
    EXPECT_TRUE(Manager::detect_leaks().empty());
  });
  EXPECT_TRUE(probe->is_closed());
  EXPECT_TRUE(Manager::detect_leaks().empty());
  EXPECT_EQ(1u, reports.size());
  reports.clear();
}

TEST_F(AsyncResourceManagerTest, ALeakThatIsClosedOrDestroyedIsNone) {
  run([&] {
    bool broken = true;
    const auto fail = [&] {
      if (broken) throw std::runtime_error("busy");
    };
    std::shared_ptr<Probe> closed;
    std::shared_ptr<Probe> destroyed;
    CancellationScope::run([&] {
      closed = add("a", fail);
      destroyed = add("b", fail);
    });
    EXPECT_EQ(2u, Manager::detect_leaks().size());
    broken = false;
    closed->close();
    EXPECT_EQ(1u, Manager::detect_leaks().size());
    destroyed.reset();
    EXPECT_TRUE(Manager::detect_leaks().empty());
  });
  EXPECT_EQ(2u, reports.size());
  reports.clear();
}

TEST_F(AsyncResourceManagerTest, ALoopThatGoesAfterItsThreadsManagerDoesNoHarm) {
  auto probe = make("a");
  std::thread{[&] {
    // Destroyed with the thread, after whatever was first used later.
    thread_local std::unique_ptr<EventLoop> late;
    late = std::make_unique<EventLoop>(make_backend("auto"));
    late->create_task([&] { Manager::add(probe); });
    late->run();
    EXPECT_TRUE(Manager::detect_leaks().empty());
  }}.join();
}

TEST_F(AsyncResourceManagerTest, L39_EachThreadHasItsOwn) {
  run([&] {
    add("here");
    const ResourceStats before = Manager::stats();
    std::thread{[] {
      asyncio::run([] {
        Log there;
        Manager::add(std::make_shared<Probe>("there", there));
        EXPECT_EQ(1u, Manager::stats().added);
        EXPECT_EQ(1u, Manager::stats().open);
        EXPECT_EQ(1u, Manager::close_scope(*CancellationScope::current()));
      });
      EXPECT_EQ(0u, Manager::stats().open);
    }}.join();
    EXPECT_EQ(before.added, Manager::stats().added);
    EXPECT_EQ(before.open, Manager::stats().open);
  });
}

// ---- Figures ------------------------------------------------------------------------------------

TEST_F(AsyncResourceManagerTest, StatsCountWhatHappened) {
  run([&] {
    const ResourceStats before = Manager::stats();
    CancellationScope::run([&] {
      add("a");
      add("b", [] { throw std::runtime_error("no luck"); });
      add("c")->close();
      auto removed = add("d");
      Manager::remove(removed);
      const ResourceStats open = Manager::stats();
      EXPECT_EQ(before.added + 4, open.added);
      EXPECT_EQ(before.removed + 1, open.removed);
      EXPECT_EQ(before.open + 3, open.open);
      EXPECT_EQ(before.closed, open.closed);
    });
    const ResourceStats after = Manager::stats();
    EXPECT_EQ(before.closed + 1, after.closed) << "only what the manager closed";
    EXPECT_EQ(before.failed + 1, after.failed);
    EXPECT_EQ(before.open, after.open);
    reports.clear();
  });
}

TEST_F(AsyncResourceManagerTest, C55_ScopesThatComeAndGoLeaveNothing) {
  run([&] {
    const std::size_t open = Manager::stats().open;
    for (int i = 0; i < 2'000; ++i) {
      CancellationScope::run([&] { add("a"); });
      log.clear();
    }
    EXPECT_EQ(open, Manager::stats().open);
    EXPECT_TRUE(Manager::detect_leaks().empty());
  });
}

// ---- Closed by hand -----------------------------------------------------------------------------

TEST_F(AsyncResourceManagerTest, OneThatIsClosedByHandIsNoLongerTheScopes) {
  run([&] {
    CancellationScope::run([&](CancellationScope& scope) {
      const auto probe = add("a");
      EXPECT_EQ(1u, Manager::resource_count(scope));
      probe->close();
      EXPECT_EQ(0u, Manager::resource_count(scope));
    });
  });
  EXPECT_EQ((Log{"close a", "a closed"}), log);
}

TEST_F(AsyncResourceManagerTest, OfThoseClosedByHandALongLivingScopeKeepsFew) {
  run([&] {
    CancellationScope::run([&](CancellationScope& scope) {
      const auto open = add("open");
      std::vector<std::weak_ptr<Probe>> closed;
      for (int i = 0; i < 10'000; ++i) {
        const auto probe = add("short-lived");
        probe->close();
        closed.emplace_back(probe);
      }
      log.clear();
      const auto alive = std::count_if(closed.begin(), closed.end(),
                                       [](const auto& probe) { return !probe.expired(); });
      EXPECT_LT(alive, 20);
      EXPECT_LT(Manager::stats().open, 20u);
      EXPECT_EQ(1u, Manager::resource_count(scope));
      EXPECT_FALSE(open->is_closed());
    });
  });
  EXPECT_EQ((Log{"close open", "open closed"}), log);
}

TEST_F(AsyncResourceManagerTest, ManyThatAreOpenStayAndAreClosedInOrder) {
  constexpr int count = 1000;
  run([&] {
    CancellationScope::run([&] {
      for (int i = 0; i < count; ++i) {
        add(std::to_string(i));
        add("by hand")->close();
      }
      log.clear();
    });
  });
  ASSERT_EQ(2u * count, log.size());
  for (int i = 0; i < count; ++i) {
    EXPECT_EQ("close " + std::to_string(count - 1 - i), log[2 * static_cast<std::size_t>(i)]);
  }
}

TEST_F(AsyncResourceManagerTest, TheDestructorOfOneThatIsLetGoMayAddAnother) {
  class Successor : public Probe {
   public:
    using Probe::Probe;
    ~Successor() override { at_end(); }
    std::function<void()> at_end;
  };
  int successors = 0;
  run([&] {
    CancellationScope::run([&](CancellationScope& scope) {
      for (int i = 0; i < 100; ++i) {
        const auto probe = std::make_shared<Successor>("a", log);
        probe->at_end = [&] {
          if (++successors <= 50) add("successor");
        };
        Manager::add(probe);
        probe->close();
      }
      EXPECT_EQ(std::min<std::size_t>(50, static_cast<std::size_t>(successors)),
                Manager::resource_count(scope));
      EXPECT_GT(successors, 50);
    });
  });
}

TEST_F(AsyncResourceManagerTest, OfThoseThatFailedToCloseOnlyTheLivingAreRemembered) {
  run([&] {
    for (int i = 0; i < 1000; ++i) {
      CancellationScope::run([&] { add("a", [] { throw std::runtime_error("no"); }); });
    }
  });
  EXPECT_EQ(1000u, reports.size());
  reports.clear();
  EXPECT_TRUE(Manager::detect_leaks().empty());
}

}  // namespace
}  // namespace asyncio::test

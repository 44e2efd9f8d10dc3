// gather(): the three strategies, what they report, and what they cancel.
#include <any>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/timed_tasks.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

constexpr auto wait_all = GatherStrategy::wait_all;
constexpr auto return_partial = GatherStrategy::return_partial;

class GatherTest : public LoopTest {};

// Calls, and gives the GatherException it must throw.
template <class F>
std::optional<GatherException> exception_of(F&& call) {
  try {
    call();
  } catch (const GatherException& error) {
    return error;
  }
  ADD_FAILURE() << "must throw GatherException";
  return std::nullopt;
}

bool is_cancellation(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const TaskCancelledException&) {
    return true;
  } catch (...) {
    return false;
  }
}

// ---- Inputs -------------------------------------------------------------------------------------

TEST_F(GatherTest, S16_OfNothingIsNothingAlsoOutsideATask) {
  static_assert(std::is_same_v<std::tuple<>, decltype(gather())>);
  const auto check = [] {
    gather();
    gather<wait_all>();
    gather<return_partial>();
    EXPECT_TRUE(gather(std::vector<Task<int>>{}).empty());
    EXPECT_TRUE(gather<wait_all>(std::vector<Task<int>>{}).empty());
    EXPECT_TRUE(gather<return_partial>(std::vector<Task<void>>{}).empty());
  };
  check();
  run(check);
}

TEST_F(GatherTest, S17_OfFinishedTasksReturnsAtOnce) {
  run([] {
    auto one = create_task([] { return 1; });
    auto two = create_task([] { return std::string{"two"}; });
    settle();
    const ExpectNoSuspend at_once;
    EXPECT_EQ((std::tuple{1, std::string{"two"}}), gather(one, two));
    EXPECT_EQ((std::tuple{1, std::string{"two"}}), gather<wait_all>(one, two));
    EXPECT_EQ((std::vector{1, 1}), gather(std::vector{one, one}));
  });
}

TEST_F(GatherTest, S17_OfFinishedAndPendingTasksWaitsForTheRest) {
  run([&] {
    auto done = create_task([] { return 1; });
    settle();
    EXPECT_EQ((std::tuple{2, 1, 3}), gather(value_after(1s, 2), done, value_after(2s, 3)));
    EXPECT_EQ(2s, elapsed());
  });
}

TEST_F(GatherTest, S17_OfFinishedTasksIsACheckpoint) {
  run([] {
    auto done = create_task([] { return 1; });
    settle();
    auto caller = create_task([&] {
      current_task().cancel();
      gather(done);
    });
    EXPECT_THROW(await(caller), TaskCancelledException);
  });
}

TEST_F(GatherTest, S18_AnInputThatHasFailedCancelsAndJoinsTheRest) {
  run([&] {
    auto failed = failure_after(0s, "early");
    settle();
    bool cleaned = false;
    auto rest = create_task([&] {
      try {
        sleep(1h);
      } catch (const Cancelled&) {
        shield([] { sleep(1s); });
        cleaned = true;
        throw;
      }
    });
    settle();
    const auto error = exception_of([&] { gather(rest, failed); });
    EXPECT_TRUE(cleaned);
    EXPECT_EQ(TaskState::cancelled, rest.state());
    EXPECT_EQ(1s, elapsed());
    EXPECT_EQ("early", message_of(error->first_exception()));
  });
}

TEST_F(GatherTest, S19_ResultsAreInInputOrderWhateverTheOrderOfEnding) {
  run([&] {
    EXPECT_EQ((std::tuple{3, 2, 1}),
              gather(value_after(3s, 3), value_after(2s, 2), value_after(1s, 1)));
    EXPECT_EQ((std::vector{3, 2, 1}),
              gather(std::vector{value_after(3s, 3), value_after(2s, 2), value_after(1s, 1)}));
    EXPECT_EQ(6s, elapsed());
  });
}

TEST_F(GatherTest, S20_TheSameTaskTwiceHasItsResultInBothPlaces) {
  run([&] {
    auto task = value_after(1s, 1);
    EXPECT_EQ((std::tuple{1, 2, 1}), gather(task, value_after(2s, 2), task));
    EXPECT_EQ(2s, elapsed());
  });
}

TEST_F(GatherTest, S20_CountsAreOfDistinctTasks) {
  run([] {
    auto good = value_after(0s, 1);
    auto bad = failure_after(1s, "bad");
    const auto error = exception_of([&] { gather<wait_all>(bad, good, bad, good); });
    EXPECT_EQ(1u, error->failed_count());
    EXPECT_EQ(1u, error->success_count());
    EXPECT_EQ(0u, error->cancelled_count());
    EXPECT_EQ(1u, static_cast<const ExceptionGroup&>(*error).exceptions().size());
    EXPECT_EQ(2u, error->exceptions().size()) << "an entry in each place";
    EXPECT_TRUE(error->has_failed(0));
    EXPECT_TRUE(error->has_failed(2));
    EXPECT_EQ(2u, error->results().size());
    EXPECT_EQ(4u, error->task_names().size());
    EXPECT_EQ(error->task_names()[0], error->task_names()[2]);
  });
}

// ---- fail_fast ----------------------------------------------------------------------------------

TEST_F(GatherTest, S21_CountsOneFailureTwoCancelledSiblingsAndTheSuccesses) {
  run([&] {
    auto first = value_after(0s, 1);
    auto survivor = create_task([] {
      try {
        sleep(1h);
      } catch (const Cancelled&) {
      }
      return 2;
    });
    auto bad = failure_after(1s, "bad");
    auto sibling = value_after(1h, 0);
    auto other = value_after(1h, 0);
    const auto error = exception_of([&] { gather(first, survivor, sibling, bad, other); });
    EXPECT_EQ(1u, error->failed_count());
    EXPECT_EQ(2u, error->cancelled_count());
    EXPECT_EQ(2u, error->success_count()) << "one completed despite the cancel";
    EXPECT_FALSE(error->has_failed(0));
    EXPECT_FALSE(error->has_failed(1));
    EXPECT_FALSE(error->has_failed(2)) << "as failed_count() has it";
    EXPECT_TRUE(error->has_failed(3));
    EXPECT_FALSE(error->was_cancelled(1));
    EXPECT_TRUE(error->was_cancelled(2));
    EXPECT_FALSE(error->was_cancelled(3));
    EXPECT_FALSE(error->has_failed(5)) << "there is no such input";
    EXPECT_FALSE(error->was_cancelled(5));
    EXPECT_TRUE(is_cancellation(error->exception(2)));
    EXPECT_EQ("bad", message_of(error->exception(3)));
    EXPECT_TRUE(is_cancellation(error->exception(4)));
    EXPECT_EQ(nullptr, error->exception(0));
    EXPECT_EQ(2, std::any_cast<int>(error->results().at(1)));
    EXPECT_EQ("bad", message_of(error->first_exception()));
    EXPECT_THROW(error->rethrow_first(), std::runtime_error);
    EXPECT_EQ(1s, elapsed());
    try {
      sibling.result();
    } catch (const TaskCancelledException& cancelled) {
      EXPECT_EQ(CancelReason::sibling_failed, cancelled.reason());
    }
  });
}

TEST_F(GatherTest, S21_FailuresAreListedInTheOrderTheyHappened) {
  run([] {
    auto cleanup = create_task([]() -> int {
      try {
        sleep(1h);
      } catch (const Cancelled&) {
        shield([] { sleep(1s); });
        throw std::runtime_error("second");
      }
      return 0;
    });
    const auto error = exception_of([&] { gather(cleanup, failure_after(1s, "first")); });
    ASSERT_EQ(2u, static_cast<const ExceptionGroup&>(*error).exceptions().size());
    EXPECT_EQ("first", message_of(static_cast<const ExceptionGroup&>(*error).exceptions()[0]));
    EXPECT_EQ("second", message_of(static_cast<const ExceptionGroup&>(*error).exceptions()[1]));
    EXPECT_EQ(2u, error->failed_count());
  });
}

TEST_F(GatherTest, S22_CancelledByAThirdPartyIsAFailureThatCancelsTheRest) {
  run([&] {
    auto victim = value_after(1h, 1);
    auto rest = value_after(1h, 2);
    auto killer = create_task([&] {
      sleep(1s);
      victim.cancel("third party");
    });
    const auto error = exception_of([&] { gather(victim, rest); });
    EXPECT_TRUE(is_cancellation(error->first_exception()));
    EXPECT_NE(std::string::npos, message_of(error->exception(0)).find("third party"));
    EXPECT_EQ(TaskState::cancelled, rest.state());
    EXPECT_EQ(2u, error->cancelled_count());
    EXPECT_EQ(1s, elapsed());
    checkpoint();  // the caller itself is not cancelled
  });
}

TEST_F(GatherTest, S22_CancelledByAThirdPartyIsListedOrLeftOutByTheOthers) {
  run([&] {
    for (const bool partial : {false, true}) {
      auto victim = value_after(1h, 1);
      auto rest = value_after(2s, 2);
      auto killer = create_task([&] {
        sleep(1s);
        victim.cancel();
      });
      if (partial) {
        EXPECT_EQ((std::tuple{std::optional<int>{}, std::optional{2}}),
                  gather<return_partial>(victim, rest));
      } else {
        const auto error = exception_of([&] { gather<wait_all>(victim, rest); });
        EXPECT_TRUE(is_cancellation(error->exception(0)));
        EXPECT_EQ(1u, error->cancelled_count());
        EXPECT_EQ(2, std::any_cast<int>(error->results().at(1)));
      }
    }
    EXPECT_EQ(4s, elapsed());
  });
}

// ---- wait_all -----------------------------------------------------------------------------------

TEST_F(GatherTest, S23_WaitAllWaitsForAllThenThrowsWithResultsByIndex) {
  run([&] {
    const auto error = exception_of([] {
      gather<wait_all>(value_after(3s, 30), failure_after(1s, "bad"), value_after(0s, 10),
                       create_task([] {}));
    });
    EXPECT_EQ(3s, elapsed());
    EXPECT_EQ(1u, error->failed_count());
    EXPECT_EQ(3u, error->success_count());
    EXPECT_EQ(30, std::any_cast<int>(error->results().at(0)));
    EXPECT_FALSE(error->results().contains(1));
    EXPECT_EQ(10, std::any_cast<int>(error->results().at(2)));
    EXPECT_NO_THROW(std::any_cast<std::monostate>(error->results().at(3)));
    EXPECT_EQ("bad", message_of(error->exceptions().at(1)));
  });
}

TEST_F(GatherTest, S23_WaitAllWithoutAFailureGivesTheResults) {
  run([] {
    EXPECT_EQ((std::tuple{1, 2}), gather<wait_all>(value_after(2s, 1), value_after(1s, 2)));
    EXPECT_EQ((std::vector{1, 2}),
              gather<wait_all>(std::vector{value_after(2s, 1), value_after(1s, 2)}));
  });
}

TEST_F(GatherTest, S23_VectorsReportLikePacks) {
  run([] {
    const auto error = exception_of([] {
      gather<wait_all>(std::vector{value_after(1s, 1), failure_after(0s, "bad")});
    });
    EXPECT_EQ(1, std::any_cast<int>(error->results().at(0)));
    EXPECT_EQ("bad", message_of(error->exception(1)));
  });
}

// ---- return_partial -----------------------------------------------------------------------------

TEST_F(GatherTest, S24_ReturnPartialKeepsThePlaces) {
  run([&] {
    const auto results =
        gather<return_partial>(value_after(2s, 1), failure_after(1s, "bad"), value_after(0s, 3));
    EXPECT_EQ((std::tuple{std::optional{1}, std::optional<int>{}, std::optional{3}}), results);
    EXPECT_EQ(2s, elapsed());
    EXPECT_EQ((std::vector{std::optional{1}, std::optional{2}}),
              gather<return_partial>(std::vector{value_after(0s, 1), value_after(0s, 2)}));
  });
  ASSERT_EQ(1u, reports.size());
  EXPECT_NE(std::string::npos, reports[0].find("bad")) << reports[0];
  reports.clear();
}

TEST_F(GatherTest, S24_AllFailedGivesNothingAndEachFailureIsReportedOnce) {
  run([] {
    const auto results =
        gather<return_partial>(std::vector{failure_after(0s, "one"), failure_after(1s, "two")});
    EXPECT_EQ((std::vector<std::optional<int>>(2)), results);
  });
  ASSERT_EQ(2u, reports.size());
  reports.clear();
}

// ---- Result types -------------------------------------------------------------------------------

struct Celsius {
  explicit Celsius(double value) : degrees(value) {}
  double degrees;
};

TEST_F(GatherTest, S25_EveryKindOfResultWorks) {
  run([] {
    int place = 1;
    auto results = gather(create_task([] {}), create_task([] { return std::make_unique<int>(2); }),
                          create_task([&]() -> int& { return place; }),
                          create_task([] { return Celsius{21.5}; }));
    static_assert(
        std::is_same_v<
            std::tuple<std::monostate, std::unique_ptr<int>, std::reference_wrapper<int>, Celsius>,
            decltype(results)>);
    EXPECT_EQ(2, *std::get<1>(results));
    EXPECT_EQ(&place, &std::get<2>(results).get());
    EXPECT_EQ(21.5, std::get<3>(results).degrees);
  });
}

TEST_F(GatherTest, S25_InVectorsToo) {
  run([] {
    static_assert(
        std::is_same_v<std::vector<std::monostate>, decltype(gather(std::vector<Task<void>>{}))>);
    EXPECT_EQ(1u, gather(std::vector{create_task([] {})}).size());
    std::vector<Task<std::unique_ptr<int>>> tasks;
    for (int i = 0; i < 3; ++i)
      tasks.push_back(create_task([i] { return std::make_unique<int>(i); }));
    const auto results = gather(std::move(tasks));
    ASSERT_EQ(3u, results.size());
    for (int i = 0; i < 3; ++i) EXPECT_EQ(i, *results[static_cast<std::size_t>(i)]);
    int place = 1;
    EXPECT_EQ(&place, &gather(std::vector{create_task([&]() -> int& { return place; })})[0].get());
    EXPECT_EQ(1.5, gather(std::vector{create_task([] { return Celsius{1.5}; })})[0].degrees);
  });
}

TEST_F(GatherTest, S25_InPartialResultsToo) {
  run([] {
    int place = 1;
    auto results = gather<return_partial>(
        create_task([] {}), create_task([] { return std::make_unique<int>(2); }),
        create_task([&]() -> int& { return place; }), create_task([] { return Celsius{21.5}; }));
    EXPECT_TRUE(std::get<0>(results).has_value());
    EXPECT_EQ(2, **std::get<1>(results));
    EXPECT_EQ(&place, &std::get<2>(results)->get());
    EXPECT_EQ(21.5, std::get<3>(results)->degrees);
  });
}

TEST_F(GatherTest, S25_InTheExceptionWhatCannotBeCopiedIsShared) {
  run([] {
    int place = 1;
    const auto error = exception_of([&] {
      gather<wait_all>(create_task([] { return std::make_unique<int>(2); }),
                       create_task([&]() -> int& { return place; }), failure_after(0s, "bad"));
    });
    const auto shared =
        std::any_cast<std::shared_ptr<std::unique_ptr<int>>>(error->results().at(0));
    EXPECT_EQ(2, **shared);
    EXPECT_EQ(&place, &std::any_cast<std::reference_wrapper<int>>(error->results().at(1)).get());
  });
}

TEST_F(GatherTest, S25_CopyableResultsStayWithTheirTasks) {
  run([] {
    auto task = create_task([] { return std::string(100, 'x'); });
    EXPECT_EQ(std::string(100, 'x'), std::get<0>(gather(task)));
    EXPECT_EQ(std::string(100, 'x'), await(task));
  });
}

// ---- Misuse -------------------------------------------------------------------------------------

TEST_F(GatherTest, S26_OfItselfIsADeadlockErrorAndTheOthersAreLeftAlone) {
  run([] {
    auto other = value_after(1s, 1);
    Task<void> self;
    self = create_task([&] {
      EXPECT_THROW(gather(other, self), DeadlockError);
      EXPECT_THROW(gather<return_partial>(other, self), DeadlockError);
    });
    await(self);
    EXPECT_EQ(1, await(other));
  });
}

TEST_F(GatherTest, S26_OfATaskThatAwaitsTheCallerIsADeadlockError) {
  run([] {
    Task<void> caller;
    auto awaiter = create_task([&] { await(caller); });
    caller = create_task([&] {
      settle();
      EXPECT_THROW(gather(awaiter), DeadlockError);
    });
    await(awaiter);
  });
}

TEST_F(GatherTest, S27_OutsideATaskIsAnErrorAndTheInputsAreLeftAlone) {
  auto early = loop().create_task([] { return 1; });
  EXPECT_THROW(gather(early), NotInTaskError);
  run([&] {
    bool checked = false;
    auto pending = value_after(1s, 2);
    call_soon([&] {
      EXPECT_THROW(gather(pending), NotInTaskError);
      EXPECT_THROW(gather<wait_all>(std::vector{pending}), NotInTaskError);
      checked = true;
    });
    settle();
    EXPECT_TRUE(checked);
    EXPECT_EQ(1, await(early));
    EXPECT_EQ(2, await(pending));
  });
}

// ---- The caller is cancelled --------------------------------------------------------------------

TEST_F(GatherTest, C22_CallerCancelledTheUnfinishedAreCancelledAndJoinedThenItUnwinds) {
  run([&] {
    bool cleaned = false;
    bool went_on = false;
    auto done = create_task([] { return 1; });
    settle();
    auto slow = create_task([&] {
      try {
        sleep(1h);
      } catch (const Cancelled&) {
        shield([] { sleep(1s); });
        cleaned = true;
        throw;
      }
    });
    auto quick = value_after(1h, 2);
    auto caller = create_task([&] {
      gather<wait_all>(done, slow, quick);
      went_on = true;
    });
    settle();
    caller.cancel();
    EXPECT_THROW(await(caller), TaskCancelledException);
    EXPECT_TRUE(cleaned);
    EXPECT_FALSE(went_on);
    EXPECT_EQ(TaskState::completed, done.state());
    EXPECT_EQ(TaskState::cancelled, slow.state());
    EXPECT_EQ(TaskState::cancelled, quick.state());
    EXPECT_EQ(1s, elapsed());
  });
}

TEST_F(GatherTest, C22_FailureOfAChildMeanwhileIsReported) {
  run([] {
    auto caller = create_task([] {
      gather(create_task([] {
        try {
          sleep(1h);
        } catch (const Cancelled&) {
          throw std::runtime_error("in cleanup");
        }
      }));
    });
    settle();
    caller.cancel();
    EXPECT_THROW(await(caller), TaskCancelledException);
  });
  ASSERT_EQ(1u, reports.size());
  EXPECT_NE(std::string::npos, reports[0].find("in cleanup")) << reports[0];
  reports.clear();
}

TEST_F(GatherTest, C22_CancelAfterTheLastInputEndedLeavesTheResult) {
  keep_order();
  run([] {
    Event go;
    auto input = create_task([&] {
      go.wait();
      return 1;
    });
    int got = 0;
    auto caller = create_task([&] {
      got = std::get<0>(gather(input));
      checkpoint();
      ADD_FAILURE() << "must throw";
    });
    settle();
    // Called once the input has ended and the gather has been woken, but before it runs on.
    struct CancelAtEnd {
      AnyTask caller;
      Task<int> input;
    };
    auto watcher = create_task([&, watch = CancelAtEnd{caller, input}] {
      while (!watch.input.is_done()) yield();
      watch.caller.cancel();
    });
    yield();
    go.set();
    EXPECT_THROW(await(caller), TaskCancelledException);
    EXPECT_EQ(1, got);
  });
}

TEST_F(GatherTest, S28_CallerCancelledItNeverReturnsWithChildrenRunning) {
  run([&] {
    auto stubborn = create_task([] {
      for (int i = 0; i < 3; ++i) {
        try {
          sleep(1h);
        } catch (const Cancelled&) {
        }
      }
      shield([] { sleep(5s); });
      return 1;
    });
    auto caller = create_task([&] { gather(stubborn); });
    settle();
    caller.cancel();
    sleep(4s);
    EXPECT_FALSE(caller.is_done());
    EXPECT_THROW(await(caller), TaskCancelledException);
    EXPECT_EQ(TaskState::completed, stubborn.state());
    EXPECT_EQ(5s, elapsed());
  });
}

TEST_F(GatherTest, S29_TaskSharedByTwoGathersIsCancelledForBoth) {
  run([&] {
    auto shared = value_after(1h, 1);
    auto other = create_task([&] {
      const auto error = exception_of([&] { gather(shared); });
      EXPECT_TRUE(is_cancellation(error->first_exception()));
    });
    settle();
    exception_of([&] { gather(shared, failure_after(1s, "bad")); });
    await(other);
    EXPECT_EQ(1s, elapsed());
  });
}

// ---- What the exception says --------------------------------------------------------------------

TEST_F(GatherTest, S30_TextCountsTheTasks) {
  run([] {
    const auto error = exception_of([] {
      gather<wait_all>(value_after(0s, 1), failure_after(1s, "bad"), failure_after(0s, "worse"));
    });
    const std::string text = error->what();
    EXPECT_EQ(0u, text.find("gather() failed: 2 of 3 task(s) failed, 1 succeeded")) << text;
  });
}

TEST_F(GatherTest, S30_ReportNamesEveryInputAndWhatBecameOfIt) {
  run([] {
    const auto error = exception_of([] {
      gather(create_task([] {}, "fine"),
             create_task([] { throw std::runtime_error("oops"); }, "bad"),
             create_task([] { sleep(1h); }, "rest"));
    });
    EXPECT_EQ((std::vector<std::string>{"fine", "bad", "rest"}), error->task_names());
    const std::string report = error->detailed_report();
    for (const char* part : {"gather() failed", "fine", "bad: failed", "oops", "rest: cancelled"}) {
      EXPECT_TRUE(contains(report, part)) << part << " in\n" << report;
    }
    const auto json = nlohmann::json::parse(error->to_json());
    EXPECT_EQ("cancelled", json.at("tasks")[2].at("state"));
    EXPECT_TRUE(json.at("tasks")[2].at("error").is_string());
  });
}

TEST_F(GatherTest, S30_JsonSurvivesAnyExceptionAndAnyBytes) {
  run([] {
    const auto error = exception_of([] {
      gather<wait_all>(create_task([] { throw 42; }, "number"),
                       create_task([] { throw std::runtime_error("say \"hi\"\n\\"); }, "a\"b"),
                       create_task([] { throw std::runtime_error("bad \xff\xfe bytes"); }, "\xc3("),
                       create_task([] {}, "fine"));
    });
    const auto json = nlohmann::json::parse(error->to_json());
    EXPECT_EQ(3, json.at("failed"));
    EXPECT_EQ(0, json.at("cancelled"));
    EXPECT_EQ(1, json.at("succeeded"));
    ASSERT_EQ(4u, json.at("tasks").size());
    EXPECT_EQ("number", json.at("tasks")[0].at("name"));
    EXPECT_NE(std::string::npos, json.at("tasks")[0].at("error").get<std::string>().find("int"));
    EXPECT_EQ("a\"b", json.at("tasks")[1].at("name"));
    EXPECT_NE(std::string::npos,
              json.at("tasks")[1].at("error").get<std::string>().find("say \"hi\"\n\\"));
    EXPECT_EQ("failed", json.at("tasks")[2].at("state"));
    EXPECT_NE(std::string::npos, json.at("tasks")[2].at("error").get<std::string>().find("bytes"));
    EXPECT_EQ("completed", json.at("tasks")[3].at("state"));
    EXPECT_TRUE(json.at("tasks")[3].at("error").is_null());
  });
}

}  // namespace
}  // namespace asyncio::test

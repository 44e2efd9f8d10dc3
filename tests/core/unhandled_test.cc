// Failures nobody looked at, and the exception handler.
#include <memory>
#include <string>
#include <thread>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class UnhandledTest : public LoopTest {
 protected:
  // The one report there must be; takes it out.
  std::string only_report() {
    EXPECT_EQ(1u, reports.size());
    const std::string first = reports.empty() ? "" : reports[0];
    reports.clear();
    return first;
  }
};

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(UnhandledTest, S38_FailureIsReportedOnceWhenTheLastHandleGoes) {
  run([&] {
    auto task = create_task([] { throw std::runtime_error("ignored"); }, "careless");
    auto copy = task;
    settle();
    EXPECT_TRUE(reports.empty()) << "a handle lives: somebody may look yet";
    task = {};
    EXPECT_TRUE(reports.empty());
    copy = {};
    const std::string report = only_report();
    EXPECT_TRUE(contains(report, "'careless'")) << report;
    EXPECT_TRUE(contains(report, "ignored")) << report;
  });
  EXPECT_TRUE(reports.empty()) << "not again at the end";
}

TEST_F(UnhandledTest, S38_FailureOfATaskWithoutAnyHandleIsReportedWhenItEnds) {
  run([&] {
    create_task([] { throw std::runtime_error("ignored"); });
    settle();
    EXPECT_TRUE(contains(only_report(), "ignored"));
  });
}

TEST_F(UnhandledTest, S38_FailureWhoseHandleOutlivesTheRunIsReportedAtItsEnd) {
  Task<void> task;
  run([&] {
    task = create_task([] { throw std::runtime_error("kept"); });
    settle();
  });
  EXPECT_TRUE(contains(only_report(), "kept"));
  task = {};
  EXPECT_TRUE(reports.empty()) << "not twice";
}

TEST_F(UnhandledTest, S38_LookingInAnyWayIsEnough) {
  run([&] {
    const auto fail = [] { throw std::runtime_error("seen"); };
    {
      auto task = create_task(fail);
      EXPECT_THROW(await(task), std::runtime_error);
    }
    {
      auto task = create_task(fail);
      settle();
      EXPECT_THROW(task.result(), std::runtime_error);
    }
    {
      auto task = create_task(fail);
      settle();
      EXPECT_NE(nullptr, task.exception());
    }
    {
      auto task = create_task(fail);
      settle();
      EXPECT_TRUE(task.has_exception());
    }
    EXPECT_TRUE(contains(only_report(), "seen")) << "but has_exception() does not count";
  });
}

TEST_F(UnhandledTest, S38_WaiterThatGetsTheFailureHasLooked) {
  run([&] {
    auto waiter = create_task([] {
      try {
        await(create_task([] {
          sleep(1s);
          throw std::runtime_error("x");
        }));
      } catch (const std::runtime_error&) {
      }
    });
    await(waiter);
  });
  EXPECT_TRUE(reports.empty());
}

TEST_F(UnhandledTest, S38_CancelledTaskIsNoFailure) {
  run([] {
    create_task([] { sleep(1h); }).cancel();
    auto task = create_task([] { sleep(1h); });
    settle();
    task.cancel();
    settle();
  });
  EXPECT_TRUE(reports.empty());
}

TEST_F(UnhandledTest, S38_LastHandleDroppedByAnotherThreadIsReportedOnTheLoop) {
  run([&] {
    auto task = create_task([] { throw std::runtime_error("far away"); }, "distant");
    settle();
    to_thread([task = std::move(task)]() mutable { task = {}; });
    settle();
    const std::string report = only_report();
    EXPECT_TRUE(contains(report, "'distant'")) << report;
    EXPECT_TRUE(contains(report, "far away")) << report;
  });
}

TEST_F(UnhandledTest, S38_LastHandleDroppedByAnotherThreadAfterTheRunIsNotReportedAgain) {
  Task<void> task;
  run([&] {
    task = create_task([] { throw std::runtime_error("once"); });
    settle();
  });
  only_report();
  std::thread{[task = std::move(task)]() mutable { task = {}; }}.join();
  run([] { settle(); });
  EXPECT_TRUE(reports.empty());
}

TEST_F(UnhandledTest, S38_HandlerMayKeepTheTask) {
  AnyTask kept;
  loop().set_exception_handler([&](const ExceptionContext& context) { kept = context.task; });
  run([] {
    create_task([] { throw std::runtime_error("x"); }, "kept");
    settle();
  });
  ASSERT_TRUE(kept.valid());
  EXPECT_EQ("kept", kept.name());
  EXPECT_EQ(TaskState::failed, kept.state());
  EXPECT_THROW(std::rethrow_exception(kept.exception()), std::runtime_error);
}

TEST_F(UnhandledTest, HandlerIsToldMessageExceptionAndTask) {
  int calls = 0;
  std::uint64_t id = 0;
  loop().set_exception_handler([&](const ExceptionContext& context) {
    ++calls;
    EXPECT_TRUE(contains(context.message, "'failing'")) << context.message;
    EXPECT_EQ(id, context.task.id());
    EXPECT_THROW(std::rethrow_exception(context.exception), std::out_of_range);
    EXPECT_EQ(nullptr, detail::current_task_control());
  });
  run([&] {
    id = create_task([] { throw std::out_of_range("x"); }, "failing").id();
    settle();
  });
  EXPECT_EQ(1, calls);
}

TEST_F(UnhandledTest, HandlerMayCreateTasks) {
  bool ran = false;
  loop().set_exception_handler(
      [&](const ExceptionContext&) { create_task([&] { ran = true; }, "helper"); });
  run([&] {
    create_task([] { throw std::runtime_error("x"); });
    settle();
    EXPECT_TRUE(ran);
  });
}

TEST_F(UnhandledTest, HandlerThatThrowsLosesNeitherFailureNorLoop) {
  loop().set_exception_handler(
      [](const ExceptionContext&) { throw std::runtime_error("handler's"); });
  testing::internal::CaptureStderr();
  const int result = run([] {
    create_task([] { throw std::runtime_error("task's"); }, "first");
    settle();
    call_soon([] { throw std::runtime_error("callback's"); });
    settle();
    return 3;
  });
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_EQ(3, result);
  EXPECT_TRUE(contains(said, "handler's")) << said;
  EXPECT_TRUE(contains(said, "task's")) << said;
  EXPECT_TRUE(contains(said, "'first'")) << said;
  EXPECT_TRUE(contains(said, "callback's")) << said;
}

TEST_F(UnhandledTest, HandlerThatSuspendsIsToldOff) {
  loop().set_exception_handler([](const ExceptionContext&) { sleep(1s); });
  testing::internal::CaptureStderr();
  run([] {
    create_task([] { throw std::runtime_error("task's"); });
    settle();
  });
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(contains(said, "a loop callback cannot wait")) << said;
}

TEST_F(UnhandledTest, WithoutAHandlerItGoesToStderr) {
  loop().set_exception_handler({});
  testing::internal::CaptureStderr();
  run([] {
    create_task([] { throw std::runtime_error("out loud"); }, "speaker");
    settle();
  });
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(contains(said,
                       "asyncio: task 'speaker' failed and nobody awaited it: "
                       "std::runtime_error: out loud"))
      << said;
}

TEST_F(UnhandledTest, HandlerMayReplaceItself) {
  int first = 0;
  int second = 0;
  loop().set_exception_handler([&](const ExceptionContext&) {
    ++first;
    loop().set_exception_handler([&](const ExceptionContext&) { ++second; });
    EXPECT_EQ(1, first);  // what the handler holds is still there
  });
  run([] {
    for (int i = 0; i < 3; ++i) create_task([] { throw std::runtime_error("x"); });
    settle();
  });
  EXPECT_EQ(1, first);
  EXPECT_EQ(2, second);
}

TEST_F(UnhandledTest, S39_DroppingEveryHandleOfARunningTaskStopsNothing) {
  run([&] {
    auto witness = std::make_shared<int>(0);
    {
      auto task = create_task([witness] {
        for (int i = 0; i < 5; ++i) {
          sleep(1s);
          ++*witness;
        }
      });
      settle();
    }
    EXPECT_EQ(2, witness.use_count());
    sleep(10s);
    EXPECT_EQ(5, *witness);
    EXPECT_EQ(1, witness.use_count()) << "and its closure went with it";
  });
}

TEST_F(UnhandledTest, S40_AnyTypeMayBeThrownAndComesOutIntact) {
  struct NotAnException {
    int code;
  };
  run([] {
    EXPECT_THROW(await(create_task([] { throw 42; })), int);
    auto task = create_task([] { throw NotAnException{7}; });
    try {
      await(task);
      ADD_FAILURE() << "must throw";
    } catch (const NotAnException& thrown) {
      EXPECT_EQ(7, thrown.code);
    }
    EXPECT_EQ(TaskState::failed, task.state());
    EXPECT_THROW(await(create_task([] { throw std::make_unique<int>(1); })), std::unique_ptr<int>);
  });
}

TEST_F(UnhandledTest, S40_UnseenItIsReportedAsWellAsItCanBe) {
  run([&] {
    create_task([] { throw 42; }, "odd");
    settle();
    const std::string report = only_report();
    EXPECT_TRUE(contains(report, "'odd'")) << report;
    EXPECT_TRUE(contains(report, "int")) << report;
  });
}

TEST_F(UnhandledTest, ExceptionObjectLivesAsLongAsTheTask) {
  struct Heavy {
    std::shared_ptr<int> witness;
  };
  run([] {
    auto witness = std::make_shared<int>(0);
    auto task = create_task([&] { throw Heavy{witness}; });
    EXPECT_THROW(await(task), Heavy);
    EXPECT_EQ(2, witness.use_count());
    task = {};
    EXPECT_EQ(1, witness.use_count());
  });
}

}  // namespace
}  // namespace asyncio::test

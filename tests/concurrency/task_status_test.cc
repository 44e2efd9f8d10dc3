// TaskGroup::start(): a child that says when it is ready.
#include <memory>
#include <stdexcept>
#include <string>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class TaskStatusTest : public LoopTest {};

TEST_F(TaskStatusTest, StartReturnsWhenTheChildIsReadyAndTheChildGoesOn) {
  run([&] {
    TaskGroup group;
    bool served = false;
    const int port = group.start<int>(
        [&](const TaskStatus<int>& status) {
          sleep(1s);
          status.started(8080);
          sleep(1s);
          served = true;
        },
        "server");
    EXPECT_EQ(8080, port);
    EXPECT_EQ(1s, elapsed());
    ASSERT_EQ(1u, group.task_count());
    EXPECT_EQ("server", group.tasks()[0].name());
    group.wait_all();
    EXPECT_TRUE(served);
    EXPECT_EQ(2s, elapsed());
  });
}

TEST_F(TaskStatusTest, EveryKindOfValueWorks) {
  run([] {
    TaskGroup::run([](TaskGroup& group) {
      group.start([](TaskStatus<> status) { status.started(); });
      auto owned = group.start<std::unique_ptr<int>>([](const auto& status) {
        status.started(std::make_unique<int>(3));
        return "dropped";
      });
      EXPECT_EQ(3, *owned);
      int place = 0;
      int& same = group.start<int&>([&](const TaskStatus<int&>& status) { status.started(place); });
      EXPECT_EQ(&place, &same);
    });
  });
}

TEST_F(TaskStatusTest, SomebodyElseMaySayIt) {
  run([] {
    TaskGroup group;
    EXPECT_EQ(1, group.start<int>([](const TaskStatus<int>& status) {
      await(create_task([status] { status.started(1); }));
    }));
    group.wait_all();
  });
}

TEST_F(TaskStatusTest, AFailureBeforeThatIsStartsAndNoneOfTheGroup) {
  run([] {
    TaskGroup group;
    EXPECT_THROW(group.start([](TaskStatus<>) { throw std::out_of_range("no port"); }),
                 std::out_of_range);
    EXPECT_FALSE(group.is_cancelled());
    group.wait_all();
  });
}

TEST_F(TaskStatusTest, AFailureAfterThatIsTheGroups) {
  run([] {
    TaskGroup group;
    group.start([](TaskStatus<> status) {
      status.started();
      throw std::out_of_range("later");
    });
    EXPECT_THROW(group.wait_all(), ExceptionGroup);
  });
}

TEST_F(TaskStatusTest, AChildThatReturnsWithoutSayingItIsAnError) {
  run([] {
    TaskGroup group;
    const std::string message =
        message_of<InvalidStateError>([&] { group.start([](TaskStatus<>) {}); });
    EXPECT_TRUE(contains(message, "started()")) << message;
    group.wait_all();
  });
}

TEST_F(TaskStatusTest, ItIsSaidOnce) {
  run([] {
    TaskGroup group;
    group.start([](TaskStatus<> status) {
      status.started();
      EXPECT_THROW(status.started(), InvalidStateError);
    });
    group.wait_all();
  });
}

TEST_F(TaskStatusTest, AChildThatIsCancelledBeforeThatIsAnOrdinaryError) {
  run([] {
    TaskGroup group;
    auto canceller = create_task([&] {
      settle();
      group.tasks().at(0).cancel("enough");
    });
    EXPECT_THROW(group.start([](TaskStatus<>) { sleep_forever(); }), TaskCancelledException);
    await(canceller);
    group.wait_all();

    group.close();
    EXPECT_THROW(group.start([](TaskStatus<>) {}), InvalidStateError);
  });
}

TEST_F(TaskStatusTest, AGroupThatIsCancelledBeforeThatToo) {
  run([] {
    TaskGroup group;
    group.cancel();
    EXPECT_THROW(group.start([](TaskStatus<>) { ADD_FAILURE() << "must not run"; }),
                 TaskCancelledException);
    group.wait_all();
  });
}

TEST_F(TaskStatusTest, C49_CallerCancelledTheChildIsCancelledAndJoined) {
  run([&] {
    TaskGroup group;
    std::string told;
    auto caller = create_task([&] {
      group.start([&](TaskStatus<>) {
        try {
          sleep_forever();
        } catch (const Cancelled& cancelled) {
          told = cancelled.text();
          shield([] { sleep(1s); });
          throw;
        }
      });
    });
    settle();
    caller.cancel();
    EXPECT_THROW(await(caller), TaskCancelledException);
    EXPECT_EQ("its start() was cancelled", told);
    EXPECT_EQ(1s, elapsed());
    EXPECT_EQ(0u, group.task_count());
    EXPECT_FALSE(group.is_cancelled());
    group.wait_all();
  });
}

TEST_F(TaskStatusTest, C9_ReadyInTheTurnOfTheCancelItGoesOn) {
  keep_order();
  run([] {
    TaskGroup group;
    int got = 0;
    auto ready = std::make_shared<Event>();
    auto caller = create_task([&] {
      got = group.start<int>([ready](const TaskStatus<int>& status) {
        ready->wait();
        status.started(1);
        sleep(1s);
      });
      sleep(1h);
    });
    settle();
    ready->set();
    yield();  // the child has said it, and the caller has not run yet
    caller.cancel();
    EXPECT_THROW(await(caller), TaskCancelledException);
    EXPECT_EQ(1, got);
    EXPECT_EQ(1u, group.task_count()) << "the child goes on";
    group.wait_all();
  });
}

}  // namespace
}  // namespace asyncio::test

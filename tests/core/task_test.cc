// Tasks: starting, awaiting, ending (cases S31 to S45 and the pinned choices about tasks).
#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class TaskTest : public LoopTest {};

TEST_F(TaskTest, BodyStartsThroughTheReadyQueueNeverInsideCreateTask) {
  run([] {
    bool ran = false;
    auto task = create_task([&] { ran = true; });
    EXPECT_FALSE(ran);
    EXPECT_EQ(TaskState::pending, task.state());
    await(task);
    EXPECT_TRUE(ran);
  });
}

TEST_F(TaskTest, CancelledSleeperEndsWithoutWaitingForItsTimer) {
  run([&] {
    auto sleeper = create_task([] { sleep(1h); });
    settle();
    EXPECT_TRUE(sleeper.cancel("enough"));
    EXPECT_FALSE(sleeper.is_done()) << "cancel() must not run the task itself";
    EXPECT_THROW(await(sleeper), TaskCancelledException);
    EXPECT_EQ(Duration::zero(), elapsed()) << "the clock must not have jumped";
  });
}

}  // namespace
}  // namespace asyncio::test

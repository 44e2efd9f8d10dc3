// Task groups at the edges of their life: children that come late, owners that go early.
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class TaskGroupLifetimeTest : public LoopTest {
 protected:
  void SetUp() override { keep_order(); }

  // A task outside every group that calls `late` when the task it is then told of has ended, which
  // is before the task that joins that task's group runs again.
  Task<void> after(std::function<void()> late) {
    return create_task([this, late = std::move(late)] {
      while (!first) yield();
      try {
        await(*first);
      } catch (const TaskCancelledException&) {
      }
      late();
    });
  }

  std::optional<Task<void>> first;
};

TEST_F(TaskGroupLifetimeTest, WaitAllJoinsAChildThatCameAfterTheLastOneEnded) {
  run([&] {
    bool ended = false;
    TaskGroup group;
    auto spawner = after([&] {
      group.spawn([&] {
        sleep(1s);
        ended = true;
      });
    });
    first = group.spawn([] { sleep(1s); });
    settle();
    group.wait_all();
    EXPECT_TRUE(ended);
    EXPECT_EQ(0u, group.task_count());
    await(spawner);
  });
}

TEST_F(TaskGroupLifetimeTest, TheNurseryJoinsSuchAChildToo) {
  run([&] {
    bool ended = false;
    TaskGroup* nursery = nullptr;
    auto spawner = after([&] {
      nursery->spawn([&] {
        sleep(1s);
        ended = true;
      });
    });
    TaskGroup::run([&](TaskGroup& group) {
      nursery = &group;
      first = group.spawn([] { sleep(1s); });
      settle();
    });
    EXPECT_TRUE(ended);
    await(spawner);
  });
}

// What a child says that comes when nobody will join it any more.
std::string refusal(TaskGroup& group) {
  return message_of<InvalidStateError>(
      [&] { group.spawn([] { ADD_FAILURE() << "ran in a group that is ending"; }); });
}

TEST_F(TaskGroupLifetimeTest, AGroupThatIsBeingDestroyedTakesNoMore) {
  run([&] {
    TaskGroup* dying = nullptr;
    std::string said;
    auto spawner = after([&] { said = refusal(*dying); });
    {
      TaskGroup group;
      dying = &group;
      first = group.spawn([] { sleep(1s); });
      settle();
    }
    await(spawner);
    EXPECT_TRUE(contains(said, "closed")) << said;
  });
}

TEST_F(TaskGroupLifetimeTest, NorDoesOneWhoseEnclosingScopeEnds) {
  run([&] {
    std::shared_ptr<TaskGroup> group;
    std::string said;
    auto spawner = after([&] { said = refusal(*group); });
    CancellationScope::run([&] {
      group = std::make_shared<TaskGroup>();
      first = group->spawn([] { sleep(1s); });
      settle();
    });
    await(spawner);
    EXPECT_TRUE(contains(said, "closed")) << said;
  });
}

TEST_F(TaskGroupLifetimeTest, NorDoesOneWhoseLoopIsGone) {
  std::shared_ptr<TaskGroup> group;
  run([&] { group = std::make_shared<TaskGroup>(); });
  end_loop();
  EXPECT_TRUE(contains(refusal(*group), "closed"));
  group->cancel();
  EXPECT_EQ(0u, group->task_count());
}

TEST_F(TaskGroupLifetimeTest, NorDoesOneOfAnotherLoop) {
  EventLoop other{make_backend("auto")};
  std::shared_ptr<TaskGroup> group;
  other.create_task([&] {
    group = std::make_shared<TaskGroup>();
    other.stop();
    sleep(1h);
  });
  other.run();
  run([&] {
    const std::string said = refusal(*group);
    EXPECT_TRUE(contains(said, "another event loop")) << said;
  });
}

// ---- Destroyed where nobody may wait ------------------------------------------------------------

class Connection : public AsyncResource {
 public:
  explicit Connection(bool& closed) : closed_(closed) {}
  void close() override {
    sleep(1s);
    closed_ = true;
  }
  bool is_closed() const noexcept override { return closed_; }

 private:
  bool& closed_;
};

// A child that fails while it is cancelled.
void fail_in_cleanup() {
  try {
    sleep(1h);
  } catch (const Cancelled&) {
    throw std::runtime_error("cleanup");
  }
}

TEST_F(TaskGroupLifetimeTest, DestroyedInACallbackItStillTellsWhatFailed) {
  run([&] {
    auto group = std::make_shared<TaskGroup>();
    auto child = group->spawn(fail_in_cleanup);
    settle();
    call_soon([&] { group.reset(); });
    settle();
    EXPECT_TRUE(child.is_done());
  });
  ASSERT_EQ(1u, reports.size());
  EXPECT_TRUE(contains(reports[0], "cleanup")) << reports[0];
  reports.clear();
}

TEST_F(TaskGroupLifetimeTest, DestroyedInACallbackItsResourcesAreClosedByTheScopeAround) {
  run([&] {
    bool closed = false;
    CancellationScope::run([&] {
      auto group = std::make_shared<TaskGroup>();
      await(group->spawn([&] { AsyncResourceManager::add(std::make_shared<Connection>(closed)); }));
      call_soon([&] { group.reset(); });
      settle();
      EXPECT_FALSE(closed);
    });
    EXPECT_TRUE(closed);
  });
}

TEST_F(TaskGroupLifetimeTest, ItMayBeDestroyedWhileTheScopeAroundClosesItsResources) {
  run([&] {
    bool closed = false;
    std::shared_ptr<TaskGroup> group;
    call_later(500ms, [&] { group.reset(); });
    CancellationScope::run([&] {
      group = std::make_shared<TaskGroup>();
      await(group->spawn([&] { AsyncResourceManager::add(std::make_shared<Connection>(closed)); }));
    });
    EXPECT_EQ(nullptr, group);
    EXPECT_TRUE(closed);
  });
}

TEST_F(TaskGroupLifetimeTest, ItMayBeDestroyedInACallbackWhileTheScopeAroundJoinsIt) {
  run([&] {
    std::shared_ptr<TaskGroup> group;
    call_later(500ms, [&] { group.reset(); });
    CancellationScope::run([&] {
      group = std::make_shared<TaskGroup>();
      group->spawn([] {
        shield([] { sleep(1s); });
        throw std::runtime_error("shielded");
      });
      settle();
    });
    EXPECT_EQ(nullptr, group);
  });
  ASSERT_EQ(1u, reports.size());
  EXPECT_TRUE(contains(reports[0], "shielded")) << reports[0];
  reports.clear();
}

// ---- Deadlines ----------------------------------------------------------------------------------

TEST_F(TaskGroupLifetimeTest, ItsScopeTakesADeadlineFromInside) {
  run([&] {
    EXPECT_THROW(TaskGroup::run([&](TaskGroup&) {
                   auto* scope = CancellationScope::current();
                   scope->set_deadline(get_event_loop().now() + 1s);
                   sleep(1h);
                 }),
                 TimeoutException);
    EXPECT_EQ(Duration{1s}, elapsed());
    TaskGroup group;
    auto child = group.spawn([] {
      CancellationScope::current()->set_deadline(get_event_loop().now() + 1s);
      sleep(1h);
    });
    group.wait_all();
    EXPECT_EQ(TaskState::cancelled, child.state());
    EXPECT_EQ(Duration{2s}, elapsed());
  });
}

TEST_F(TaskGroupLifetimeTest, ItsScopeCannotBeEnteredAgain) {
  run([&] {
    TaskGroup::run([&](TaskGroup&) {
      EXPECT_THROW(CancellationScope::current()->enter([] {}), InvalidStateError);
    });
  });
}

}  // namespace
}  // namespace asyncio::test

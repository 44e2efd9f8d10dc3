// Observers: what they may do, what they may not, and that they disturb nobody.
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/observable/door.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

// Does what the test says, at each event of a task, or of a scope or resource.
class Acting : public Observer {
 public:
  void on_task_event(const TaskEvent& event) override {
    if (on_task) on_task(event);
  }
  void on_scope_event(const ScopeEvent& event) override {
    if (on_scope) on_scope(event);
  }
  void on_resource_event(const ResourceEvent& event) override {
    if (on_resource) on_resource(event);
  }

  std::function<void(const TaskEvent&)> on_task;
  std::function<void(const ScopeEvent&)> on_scope;
  std::function<void(const ResourceEvent&)> on_resource;
};

class ObserverTest : public LoopTest {
 protected:
  ObserverTest() { Observable::instance().add_observer(observer); }
  ~ObserverTest() override { Observable::instance().clear_observers(); }

  std::shared_ptr<Acting> observer = std::make_shared<Acting>();
};

TEST_F(ObserverTest, EveryCallbackHasADefaultThatDoesNothing) {
  Observable::instance().clear_observers();
  Observable::instance().add_observer(std::make_shared<Observer>());
  run([] {
    CancellationScope::run([] { AsyncResourceManager::add(std::make_shared<Door>()); });
    await(create_task([] {}));
  });
}

TEST_F(ObserverTest, OneThatThrowsIsReportedAndDisturbsNothing) {
  run([&] {
    int told = 0;
    auto second = std::make_shared<Acting>();
    second->on_task = [&](const TaskEvent&) { ++told; };
    Observable::instance().add_observer(second);
    observer->on_task = [](const TaskEvent&) { throw std::runtime_error("observer"); };
    auto good = create_task([] { return 1; });
    auto bad = create_task([] { throw std::out_of_range("own"); });
    auto endless = create_task([] { sleep(1h); });
    settle();
    endless.cancel();
    EXPECT_EQ(1, await(good));
    EXPECT_THROW(await(bad), std::out_of_range);
    EXPECT_THROW(await(endless), TaskCancelledException);
    observer->on_task = nullptr;
    second->on_task = nullptr;
    EXPECT_EQ(9, told) << "the other observers hear of everything";
    ASSERT_EQ(9u, reports.size());
    EXPECT_NE(std::string::npos, reports[0].find("observer")) << reports[0];
    reports.clear();
  });
}

TEST_F(ObserverTest, OneThatThrowsAtScopesAndResourcesDisturbsNothing) {
  run([&] {
    observer->on_scope = [](const ScopeEvent&) { throw std::runtime_error("scope"); };
    observer->on_resource = [](const ResourceEvent&) { throw 7; };
    const auto door = std::make_shared<Door>();
    EXPECT_THROW(timeout(1s,
                         [&] {
                           AsyncResourceManager::add(door);
                           sleep(1h);
                         }),
                 TimeoutException);
    EXPECT_TRUE(door->is_closed());
    observer->on_scope = nullptr;
    observer->on_resource = nullptr;
    EXPECT_LE(5u, reports.size()) << "entered, cancelled, left; added, closed";
    reports.clear();
  });
}

TEST_F(ObserverTest, OneThatThrowsWhileAnErrorPassesDisturbsNothing) {
  run([&] {
    observer->on_scope = [](const ScopeEvent&) { throw std::runtime_error("observer"); };
    EXPECT_THROW(([] {
                   struct OnUnwind {
                     ~OnUnwind() {
                       CancellationScope::run([] { sleep(1s); });
                     }
                   } cleanup;
                   throw std::out_of_range("own");
                 }()),
                 std::out_of_range);
    observer->on_scope = nullptr;
    EXPECT_EQ(2u, reports.size());
    reports.clear();
  });
}

TEST_F(ObserverTest, OneThatTriesToSuspendIsToldNotTo) {
  run([&] {
    int refused = 0;
    observer->on_task = [&](const TaskEvent& event) {
      if (event.task.name() != "task") return;
      EXPECT_THROW(sleep(1s), InvalidStateError);
      EXPECT_THROW(checkpoint(), InvalidStateError);
      ++refused;
    };
    await(create_task([] { sleep(1s); }, "task"));
    EXPECT_EQ(3, refused);
    EXPECT_EQ(1s, elapsed()) << "the task itself goes on suspending";
    observer->on_task = nullptr;
  });
}

TEST_F(ObserverTest, InACallbackTooItCannotSuspend) {
  run([&] {
    int refused = 0;
    Task<void> task;
    observer->on_task = [&](const TaskEvent& event) {
      if (event.type != TaskEvent::Type::created) return;
      EXPECT_THROW(sleep(1s), NotInTaskError);
      ++refused;
    };
    call_soon([&] { task = create_task([] {}); });
    settle();
    observer->on_task = nullptr;
    EXPECT_EQ(1, refused);
    await(task);
  });
}

TEST_F(ObserverTest, MayCancelTheTaskItHearsOf) {
  run([&] {
    observer->on_task = [](const TaskEvent& event) {
      if (event.task.name() == "unwanted" && event.type == TaskEvent::Type::created) {
        event.task.cancel("by the observer");
      }
      if (event.task.name() == "begun" && event.type == TaskEvent::Type::started) {
        event.task.cancel("by the observer");
      }
      if (is_terminal(event.task.state())) {
        EXPECT_FALSE(event.task.cancel());
      }
    };
    auto unwanted = create_task([] { ADD_FAILURE() << "must not run"; }, "unwanted");
    auto begun = create_task([] { sleep(1h); }, "begun");
    EXPECT_THROW(await(unwanted), TaskCancelledException);
    try {
      await(begun);
      ADD_FAILURE() << "must throw";
    } catch (const TaskCancelledException& error) {
      EXPECT_EQ("by the observer", error.text());
    }
    observer->on_task = nullptr;
  });
}

TEST_F(ObserverTest, MayStartTasks) {
  run([&] {
    Task<int> started;
    observer->on_task = [&](const TaskEvent& event) {
      if (event.task.name() != "task" || event.type != TaskEvent::Type::completed) return;
      started = create_task([] {
        yield();
        return 5;
      });
    };
    await(create_task([] {}, "task"));
    observer->on_task = nullptr;
    EXPECT_EQ(5, await(started));
  });
}

TEST_F(ObserverTest, MayRemoveTheResourceItHearsOf) {
  run([&] {
    auto door = std::make_shared<Door>();
    const std::weak_ptr<Door> watch = door;
    bool alive_for_the_next = false;
    auto second = std::make_shared<Acting>();
    Observable::instance().add_observer(second);
    observer->on_resource = [&](const ResourceEvent&) {
      EXPECT_TRUE(AsyncResourceManager::remove(watch.lock()));
    };
    second->on_resource = [&](const ResourceEvent& event) {
      alive_for_the_next = watch.lock().get() == event.resource;
    };
    CancellationScope::run([&] { AsyncResourceManager::add(std::move(door)); });
    EXPECT_TRUE(alive_for_the_next);
    EXPECT_TRUE(watch.expired());
    observer->on_resource = nullptr;
    second->on_resource = nullptr;
  });
}

TEST_F(ObserverTest, OneThatLooksAtTheFailureItselfTakesNothingFromTheGroup) {
  run([&] {
    observer->on_task = [](const TaskEvent& event) {
      if (event.type != TaskEvent::Type::failed) return;
      EXPECT_NE(nullptr, event.task.exception());
    };
    TaskGroup group;
    auto sibling = group.spawn([] { sleep(1h); });
    group.spawn([] { throw std::runtime_error("child"); });
    try {
      group.wait_all();
      ADD_FAILURE() << "must throw";
    } catch (const ExceptionGroup& error) {
      EXPECT_EQ(1u, error.exceptions().size());
    }
    EXPECT_EQ(TaskState::cancelled, sibling.state());
    observer->on_task = nullptr;
  });
}

TEST_F(ObserverTest, AnExceptionHandlerThatThrowsOverAnObserverDisturbsNothing) {
  run([&] {
    get_event_loop().set_exception_handler(
        [](const ExceptionContext&) { throw std::runtime_error("handler"); });
    observer->on_task = [](const TaskEvent&) { throw std::runtime_error("observer"); };
    testing::internal::CaptureStderr();
    EXPECT_EQ(1, await(create_task([] { return 1; })));
    observer->on_task = nullptr;
    const std::string said = testing::internal::GetCapturedStderr();
    EXPECT_NE(std::string::npos, said.find("observer")) << said;
    EXPECT_NE(std::string::npos, said.find("handler")) << said;
  });
}

}  // namespace
}  // namespace asyncio::test

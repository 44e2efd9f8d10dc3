// Events: which there are, what they say, and where in the end of a task they come.
#include <exception>
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

std::string_view to_string(TaskEvent::Type type) {
  switch (type) {
    case TaskEvent::Type::created:
      return "created";
    case TaskEvent::Type::started:
      return "started";
    case TaskEvent::Type::completed:
      return "completed";
    case TaskEvent::Type::failed:
      return "failed";
    case TaskEvent::Type::cancelled:
      return "cancelled";
  }
  return "?";
}

std::string_view to_string(ScopeEvent::Type type) {
  switch (type) {
    case ScopeEvent::Type::entered:
      return "entered";
    case ScopeEvent::Type::cancelled:
      return "cancelled";
    case ScopeEvent::Type::left:
      return "left";
  }
  return "?";
}

// Writes down the events of what has a name of its own.
class Recorder : public Observer {
 public:
  void on_task_event(const TaskEvent& event) override {
    if (event.task.name().starts_with("Task-") || event.task.name() == "main") return;
    log.push_back(event.task.name() + " " + std::string{to_string(event.type)});
    tasks.push_back(event);
    if (on_task) on_task(event);
  }
  void on_scope_event(const ScopeEvent& event) override {
    if (event.name.empty()) return;
    log.push_back(event.name + " " + std::string{to_string(event.type)});
    scopes.push_back(event);
    if (on_scope) on_scope(event);
  }
  void on_resource_event(const ResourceEvent& event) override { resources.push_back(event); }

  std::vector<std::string> log;
  std::vector<TaskEvent> tasks;
  std::vector<ScopeEvent> scopes;
  std::vector<ResourceEvent> resources;
  std::function<void(const TaskEvent&)> on_task;
  std::function<void(const ScopeEvent&)> on_scope;
};

class EventsTest : public LoopTest {
 protected:
  using Log = std::vector<std::string>;

  EventsTest() { Observable::instance().add_observer(recorder); }
  ~EventsTest() override { Observable::instance().clear_observers(); }

  std::shared_ptr<Recorder> recorder = std::make_shared<Recorder>();
};

void fail() { throw std::runtime_error("no luck"); }

// ---- Tasks --------------------------------------------------------------------------------------

TEST_F(EventsTest, ATaskIsCreatedStartsAndEnds) {
  run([&] {
    auto good = create_task([] { yield(); }, "good");
    EXPECT_EQ((Log{"good created"}), recorder->log);
    await(good);
    EXPECT_EQ((Log{"good created", "good started", "good completed"}), recorder->log);
    recorder->log.clear();
    EXPECT_THROW(await(create_task(fail, "bad")), std::runtime_error);
    EXPECT_EQ((Log{"bad created", "bad started", "bad failed"}), recorder->log);
    recorder->log.clear();
    auto endless = create_task([] { sleep(1h); }, "endless");
    settle();
    endless.cancel();
    endless.cancel();
    EXPECT_THROW(await(endless), TaskCancelledException);
    EXPECT_EQ((Log{"endless created", "endless started", "endless cancelled"}), recorder->log);
  });
}

TEST_F(EventsTest, C1_ATaskCancelledBeforeItBeganNeverStarts) {
  run([&] {
    auto task = create_task([] {}, "never");
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ((Log{"never created", "never cancelled"}), recorder->log);
  });
}

TEST_F(EventsTest, C1_ATaskBornCancelledNeverStarts) {
  run([&] {
    CancellationScope::try_run([](CancellationScope& scope) {
      scope.cancel();
      create_task([] {}, "never");
      checkpoint();
    });
    EXPECT_EQ((Log{"never created", "never cancelled"}), recorder->log);
  });
}

TEST_F(EventsTest, C2_CancellingATaskThatHasEndedIsNoEvent) {
  run([&] {
    auto task = create_task([] {}, "done");
    await(task);
    const Log before = recorder->log;
    EXPECT_FALSE(task.cancel());
    settle();
    EXPECT_EQ(before, recorder->log);
  });
}

TEST_F(EventsTest, C5_ACancelledTaskThatReturnsCompletes) {
  run([&] {
    await(create_task([] { current_task().cancel(); }, "stubborn"));
    EXPECT_EQ("stubborn completed", recorder->log.back());
  });
}

TEST_F(EventsTest, C29_ACancelReplacedByAnErrorIsAFailure) {
  run([&] {
    auto task = create_task(
        [] {
          try {
            sleep(1h);
          } catch (const Cancelled&) {
            fail();
          }
        },
        "task");
    settle();
    task.cancel();
    EXPECT_THROW(await(task), std::runtime_error);
    EXPECT_EQ("task failed", recorder->log.back());
  });
}

TEST_F(EventsTest, C54_WhatIsLeftAtTheEndOfRunIsHeardOfToo) {
  run([] {
    create_task([] { sleep(1h); }, "left");
    settle();
  });
  EXPECT_EQ((Log{"left created", "left started", "root cancelled", "left cancelled"}),
            recorder->log);
}

TEST_F(EventsTest, AnEventNamesTheTaskAndTheTimeAndTheFailure) {
  run([&] {
    auto task = create_task(
        [] {
          sleep(1s);
          fail();
        },
        "task");
    EXPECT_THROW(await(task), std::runtime_error);
    ASSERT_EQ(3u, recorder->tasks.size());
    for (const TaskEvent& event : recorder->tasks) EXPECT_EQ(task, event.task);
    EXPECT_EQ(nullptr, recorder->tasks[0].exception);
    EXPECT_EQ(nullptr, recorder->tasks[1].exception);
    EXPECT_EQ("std::runtime_error: no luck", describe(recorder->tasks[2].exception));
    EXPECT_EQ(task.exception(), recorder->tasks[2].exception);
    EXPECT_EQ(task.created_at(), recorder->tasks[0].time);
    EXPECT_EQ(task.started_at(), recorder->tasks[1].time);
    EXPECT_EQ(task.completed_at(), recorder->tasks[2].time);
    EXPECT_EQ(1s, recorder->tasks[2].time - recorder->tasks[1].time);
  });
}

TEST_F(EventsTest, OnlyAFailedTaskHasAnException) {
  run([&] {
    auto task = create_task([] { sleep(1h); }, "cancelled");
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    for (const TaskEvent& event : recorder->tasks) EXPECT_EQ(nullptr, event.exception);
  });
}

TEST_F(EventsTest, S38_ToHearOfAFailureIsNotToHaveLookedAtIt) {
  run([&] {
    create_task(fail, "unawaited");
    recorder->on_task = [](const TaskEvent& event) {
      EXPECT_EQ(event.type == TaskEvent::Type::failed, event.exception != nullptr);
      EXPECT_EQ(event.type == TaskEvent::Type::failed, event.task.has_exception());
    };
    settle();
    recorder->tasks.clear();
    recorder->on_task = nullptr;
  });
  ASSERT_EQ(1u, reports.size());
  EXPECT_NE(std::string::npos, reports[0].find("'unawaited' failed")) << reports[0];
  reports.clear();
}

TEST_F(EventsTest, TheTaskOfAnEventMayBeKept) {
  AnyTask kept;
  recorder->on_task = [&](const TaskEvent& event) { kept = event.task; };
  run([] { await(create_task([] {}, "kept")); });
  recorder->on_task = nullptr;
  recorder->tasks.clear();
  end_loop();
  EXPECT_EQ("kept", kept.name());
  EXPECT_EQ(TaskState::completed, kept.state());
}

// ---- The end of a task --------------------------------------------------------------------------

TEST_F(EventsTest, TheEndIsStateEventWaitersGroupsReactionDoneCallbacks) {
  keep_order();
  run([&] {
    bool called = false;
    Task<void> waiter;
    Task<void> sibling;
    recorder->on_task = [&](const TaskEvent& event) {
      if (event.task.name() != "child" || event.type != TaskEvent::Type::failed) return;
      EXPECT_EQ(TaskState::failed, event.task.state()) << "the state was first";
      EXPECT_EQ("std::runtime_error: no luck", describe(event.exception));
      EXPECT_EQ("task 'child'", waiter.wait_reason()) << "waiters are woken later";
      EXPECT_EQ("timer", sibling.wait_reason());
      EXPECT_FALSE(called);
    };
    recorder->on_scope = [&](const ScopeEvent& event) {
      if (event.name != "TaskGroup" || event.type != ScopeEvent::Type::cancelled) return;
      EXPECT_EQ("ready", waiter.wait_reason()) << "waiters were woken before";
      EXPECT_EQ("timer", sibling.wait_reason()) << "the cancel is about to come";
      EXPECT_FALSE(called) << "done callbacks are last, through the loop";
    };
    TaskGroup group;
    Event go;
    auto child = group.spawn(
        [&] {
          go.wait();
          fail();
        },
        "child");
    sibling = group.spawn([] { sleep(1h); }, "sibling");
    child.add_done_callback([&] { called = true; });
    waiter = create_task([&] { EXPECT_THROW(await(child), std::runtime_error); });
    settle();
    recorder->log.clear();
    go.set();
    EXPECT_THROW(group.wait_all(), ExceptionGroup);
    settle();
    EXPECT_TRUE(called);
    EXPECT_EQ((Log{"child failed", "TaskGroup cancelled", "sibling cancelled"}), recorder->log);
    recorder->on_task = nullptr;
    recorder->on_scope = nullptr;
  });
}

TEST_F(EventsTest, TheTerminalEventComesBeforeGatherReacts) {
  run([&] {
    Task<void> sibling = create_task([] { sleep(1h); }, "sibling");
    auto child = create_task(fail, "child");
    recorder->on_task = [&](const TaskEvent& event) {
      if (event.type != TaskEvent::Type::failed) return;
      EXPECT_EQ("child", event.task.name());
      EXPECT_FALSE(sibling.is_done());
    };
    EXPECT_THROW(gather(child, sibling), GatherException);
    EXPECT_EQ("child failed", *(recorder->log.end() - 2));
    EXPECT_EQ("sibling cancelled", recorder->log.back());
    recorder->on_task = nullptr;
  });
}

TEST_F(EventsTest, TheTerminalEventComesOnTheTasksOwnStackBeforeItsResultCanBeTaken) {
  run([&] {
    bool awaited = false;
    recorder->on_task = [&](const TaskEvent& event) {
      if (event.type != TaskEvent::Type::completed) return;
      EXPECT_EQ(event.task, current_task());
      EXPECT_TRUE(event.task.is_done());
      EXPECT_FALSE(awaited);
    };
    auto task = create_task([] { return 1; }, "task");
    EXPECT_EQ(1, await(task));
    awaited = true;
    recorder->on_task = nullptr;
  });
}

// ---- Scopes -------------------------------------------------------------------------------------

TEST_F(EventsTest, AScopeIsEnteredAndLeft) {
  run([&] {
    CancellationScope::run([] { sleep(1s); }, {.name = "scope"});
    EXPECT_EQ((Log{"scope entered", "scope left"}), recorder->log);
    ASSERT_EQ(2u, recorder->scopes.size());
    EXPECT_EQ(1s, recorder->scopes[1].time - recorder->scopes[0].time);
  });
}

TEST_F(EventsTest, AScopeIsCancelledOnce) {
  run([&] {
    CancellationScope::try_run(
        [](CancellationScope& scope) {
          scope.cancel();
          scope.cancel();
          checkpoint();
        },
        {.name = "scope"});
    EXPECT_EQ((Log{"scope entered", "scope cancelled", "scope left"}), recorder->log);
  });
}

TEST_F(EventsTest, ADeadlineCancelsAScopeToo) {
  run([&] {
    EXPECT_THROW(timeout(1s, [] { sleep(1h); }), TimeoutException);
    EXPECT_EQ((Log{"timeout entered", "timeout cancelled", "timeout left"}), recorder->log);
    EXPECT_EQ(1s, recorder->scopes[1].time - recorder->scopes[0].time);
  });
}

TEST_F(EventsTest, AScopeLeftByAnErrorIsLeft) {
  run([&] {
    EXPECT_THROW(CancellationScope::run(fail, {.name = "scope"}), std::runtime_error);
    EXPECT_EQ((Log{"scope entered", "scope left"}), recorder->log);
  });
}

TEST_F(EventsTest, AGroupIsOneOfEveryKindAndIsLeftOnceHoweverItEnds) {
  run([&] {
    const Log once{"TaskGroup entered", "TaskGroup left"};
    TaskGroup::run([](TaskGroup&) {});
    EXPECT_EQ(once, std::exchange(recorder->log, {}));
    {
      TaskGroup object;
      object.wait_all();
    }
    EXPECT_EQ(once, std::exchange(recorder->log, {}));

    auto in_callback = std::make_shared<TaskGroup>();
    call_soon([&] { in_callback.reset(); });
    settle();
    EXPECT_EQ(once, std::exchange(recorder->log, {}));

    auto alive = std::make_shared<TaskGroup>();
    alive->spawn([] { sleep(1h); }, "task");
    settle();
    call_soon([&] { alive.reset(); });
    settle();
    EXPECT_EQ((Log{"TaskGroup entered", "task created", "task started", "TaskGroup cancelled",
                   "task cancelled", "TaskGroup left"}),
              std::exchange(recorder->log, {}));

    std::shared_ptr<TaskGroup> outlived;
    CancellationScope::run([&] { outlived = std::make_shared<TaskGroup>(); }, {.name = "scope"});
    outlived.reset();
    EXPECT_EQ((Log{"scope entered", "TaskGroup entered", "TaskGroup cancelled", "TaskGroup left",
                   "scope left"}),
              recorder->log);
  });
}

TEST_F(EventsTest, AScopeIsLeftAfterItsTasksHaveEnded) {
  run([&] {
    CancellationScope::run(
        [] {
          create_task([] { sleep(1h); }, "task");
          settle();
        },
        {.name = "scope"});
    EXPECT_EQ(
        (Log{"scope entered", "task created", "task started", "task cancelled", "scope left"}),
        recorder->log);
  });
}

// ---- Resources ----------------------------------------------------------------------------------

TEST_F(EventsTest, AResourceIsAddedAndClosed) {
  run([&] {
    const auto door = std::make_shared<Door>();
    CancellationScope::run([&] {
      AsyncResourceManager::add(door);
      sleep(1s);
    });
    ASSERT_EQ(2u, recorder->resources.size());
    EXPECT_EQ(ResourceEvent::Type::added, recorder->resources[0].type);
    EXPECT_EQ(ResourceEvent::Type::closed, recorder->resources[1].type);
    for (const ResourceEvent& event : recorder->resources) {
      EXPECT_EQ(door.get(), event.resource);
      EXPECT_EQ(nullptr, event.exception);
    }
    EXPECT_EQ(1s, recorder->resources[1].time - recorder->resources[0].time);
  });
}

TEST_F(EventsTest, AResourceThatFailsToCloseSaysWhy) {
  run([&] {
    CancellationScope::run([&] { AsyncResourceManager::add(std::make_shared<Door>(true)); });
    ASSERT_EQ(2u, recorder->resources.size());
    EXPECT_EQ(ResourceEvent::Type::failed, recorder->resources[1].type);
    EXPECT_EQ("std::runtime_error: it jams", describe(recorder->resources[1].exception));
    EXPECT_EQ(1u, reports.size());
    reports.clear();
  });
}

TEST_F(EventsTest, AResourceRefusedRemovedOrLeftAloneIsNoFurtherEvent) {
  run([&] {
    CancellationScope::run([&] {
      auto removed = std::make_shared<Door>();
      auto closed = std::make_shared<Door>();
      AsyncResourceManager::add(removed);
      EXPECT_THROW(AsyncResourceManager::add(removed), InvalidStateError);
      AsyncResourceManager::remove(removed);
      AsyncResourceManager::add(closed);
      closed->close();
    });
    EXPECT_EQ(2u, recorder->resources.size());
  });
}

}  // namespace
}  // namespace asyncio::test

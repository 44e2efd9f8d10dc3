// Handles in the hands of other threads.  Worth most under ThreadSanitizer.
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class TaskHandleThreadsTest : public LoopTest {};

TEST_F(TaskHandleThreadsTest, CopiesAreMadeAndDroppedWhileTheTaskEnds) {
  run([] {
    for (int round = 0; round < 50; ++round) {
      auto task = create_task([] { return std::string(50, 'x'); });
      std::vector<std::thread> threads;
      for (int i = 0; i < 3; ++i) {
        threads.emplace_back([task] {
          for (int copies = 0; copies < 50; ++copies) {
            const Task<std::string> copy = task;
            EXPECT_TRUE(copy.valid());
          }
        });
      }
      yield();
      task = {};
      for (auto& thread : threads) thread.join();
    }
  });
}

TEST_F(TaskHandleThreadsTest, IdentityAndStateMayBeAskedAnywhere) {
  run([] {
    auto task = create_task([] { sleep(1s); }, "public");
    std::atomic<bool> ended{false};
    std::thread watcher{[task, &ended, id = task.id()] {
      while (!task.is_done()) {
        EXPECT_EQ(id, task.id());
        EXPECT_EQ("public", task.name());
        EXPECT_FALSE(is_terminal(task.state()) && !task.is_done());
        EXPECT_FALSE(task.has_exception());
      }
      ended = true;
    }};
    await(task);
    watcher.join();
    EXPECT_TRUE(ended);
  });
}

TEST_F(TaskHandleThreadsTest, C7_CancelRacesWithTheEndOfTheTask) {
  run([] {
    for (int round = 0; round < 200; ++round) {
      auto task = create_task([] {
        for (int i = 0; i < 3; ++i) yield();
        return 1;
      });
      std::thread canceller{[task] { static_cast<void>(task.cancel("race")); }};
      try {
        EXPECT_EQ(1, await(task));
      } catch (const TaskCancelledException& error) {
        EXPECT_EQ("race", error.text());
      }
      canceller.join();
    }
  });
}

TEST_F(TaskHandleThreadsTest, C7_CancelRacesWithTheEndOfTheLoop) {
  for (int round = 0; round < 50; ++round) {
    std::atomic<bool> stop{false};
    std::thread canceller;
    {
      EventLoop short_lived{make_backend("auto"), options};
      auto task = short_lived.create_task([] {});
      // It keeps asking about a task of a loop that is run and destroyed meanwhile.
      canceller = std::thread{[task, &stop] {
        while (!stop) static_cast<void>(task.cancel());
      }};
      short_lived.run([] {});
    }
    stop = true;
    canceller.join();
  }
}

TEST_F(TaskHandleThreadsTest, C7_CancelOfATaskWhoseLoopHasNotRunYetIsKept) {
  bool ran = false;
  auto task = loop().create_task([&] { ran = true; });
  std::thread{[task] { EXPECT_TRUE(task.cancel("early")); }}.join();
  EXPECT_EQ(TaskState::pending, task.state());
  run([&] {
    settle();
    EXPECT_TRUE(task.is_done());
  });
  // The body may have been first: posts are taken after a turn's ready tasks.  Either way it ends.
  EXPECT_EQ(ran, task.state() == TaskState::completed);
}

TEST_F(TaskHandleThreadsTest, C7_ManyThreadsCancelOneTask) {
  real_time();
  run([] {
    auto task = create_task([] { sleep(1h); });
    settle();
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([task, i] { static_cast<void>(task.cancel(std::to_string(i))); });
    }
    EXPECT_THROW(await(task), TaskCancelledException);
    for (auto& thread : threads) thread.join();
  });
}

TEST_F(TaskHandleThreadsTest, LastHandleMayGoOnAnotherThreadAndTakesTheResultWithIt) {
  run([] {
    struct Noted {
      explicit Noted(std::thread::id& target) : where(&target) {}
      Noted(Noted&& other) noexcept : where(std::exchange(other.where, nullptr)) {}
      ~Noted() {
        if (where != nullptr) *where = std::this_thread::get_id();
      }
      std::thread::id* where;
    };
    std::thread::id where;
    auto task = create_task([&] { return Noted{where}; });
    settle();
    std::thread dropper{[task = std::move(task)]() mutable { task = {}; }};
    const std::thread::id there = dropper.get_id();
    dropper.join();
    EXPECT_EQ(there, where);
  });
}

TEST_F(TaskHandleThreadsTest, FailuresDroppedByManyThreadsAreEachReportedOnce) {
  constexpr int failures = 60;
  run([] {
    std::vector<Task<void>> tasks;
    for (int i = 0; i < failures; ++i) {
      tasks.push_back(create_task([] { throw std::runtime_error("dropped"); }));
    }
    settle();
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < 3; ++t) {
      std::vector<Task<void>> share;
      for (std::size_t i = t; i < tasks.size(); i += 3) share.push_back(std::move(tasks[i]));
      threads.emplace_back([share = std::move(share)]() mutable { share.clear(); });
    }
    for (auto& thread : threads) thread.join();
    settle();
  });
  EXPECT_EQ(static_cast<std::size_t>(failures), reports.size());
  reports.clear();
}

TEST_F(TaskHandleThreadsTest, FailuresDroppedWhileTheRunEndsAreEachReportedOnce) {
  for (int round = 0; round < 100; ++round) {
    std::thread dropper;
    run([&] {
      auto task = create_task([] { throw std::runtime_error("dropped"); });
      settle();
      dropper = std::thread{[task = std::move(task)]() mutable { task = {}; }};
    });
    dropper.join();
    end_loop();
    ASSERT_EQ(1u, reports.size()) << "in round " << round;
    reports.clear();
  }
}

TEST_F(TaskHandleThreadsTest, HandleMayOutliveTheLoopOnAnotherThread) {
  Task<int> task;
  run([&] { await(task = create_task([] { return 3; })); });
  end_loop();
  std::thread{[task = std::move(task)]() mutable {
    EXPECT_EQ(3, task.result());
    EXPECT_FALSE(task.cancel());
    task = {};
  }}.join();
}

}  // namespace
}  // namespace asyncio::test

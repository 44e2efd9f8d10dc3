// Very many tasks, in real time.
#include <cstdio>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/core/lowlevel/wait_queue.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/scale.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class ManyTasksTest : public LoopTest {
 protected:
  ManyTasksTest() { real_time(); }
};

// Holds many tasks, costs each of them what a wait costs, and lets go of all at once.
class Crowd {
 public:
  void wait() {
    static constexpr lowlevel::WaitQueue::Kind kind{"crowd"};
    waiting_.wait(lowlevel::enter("the test"), kind, "the test");
  }
  void release() { waiting_.wake_all(); }

 private:
  lowlevel::WaitQueue waiting_;
};

TEST_F(ManyTasksTest, AMillionTasksLiveAtOnceEachWithAGuardInUnderFiveKibibytes) {
  const std::size_t count = scaled(1'000'000);
  run([&] {
    Crowd crowd;
    std::size_t finished = 0;
    create_task([] {});
    settle();
    const std::size_t before = resident_bytes();
    for (std::size_t i = 0; i < count; ++i) {
      create_task([&] {
        crowd.wait();
        ++finished;
      });
      if (i % 1000 == 0) yield();
    }
    settle();
    EXPECT_EQ(count + 1, loop().statistics().tasks_alive);
    const std::size_t per_task = (resident_bytes() - before) / count;
    std::printf("%zu tasks alive, %zu bytes of memory each\n", count, per_task);
    const LoopStatistics figures = loop().statistics();
    std::printf("%zu of %zu stacks are guarded\n", figures.stacks_guarded, figures.stacks);
    // Without MADV_GUARD_INSTALL, Linux 6.13, a quarter of vm.max_map_count is as many as there can
    // be.
    EXPECT_GE(figures.stacks_guarded, std::min<std::size_t>(figures.stacks, 16'000));
#ifdef __OPTIMIZE__
    if (!watched()) {
      EXPECT_LT(per_task, 5u << 10);
    }
#endif
    crowd.release();
    settle();
    EXPECT_EQ(count, finished);
  });
}

TEST_F(ManyTasksTest, AHundredThousandSleepersAllWake) {
  const std::size_t count = scaled(100'000);
  run([&] {
    std::size_t woken = 0;
    std::vector<Task<void>> tasks;
    for (std::size_t i = 0; i < count; ++i) {
      tasks.push_back(create_task([&] {
        sleep(0.1);
        ++woken;
      }));
    }
    for (auto& task : tasks) await(task);
    EXPECT_EQ(count, woken);
    EXPECT_EQ(0u, loop().statistics().timers);
  });
}

TEST_F(ManyTasksTest, C55_AMillionRoundsOfCreateAndCancelLeaveNothingBehind) {
  const std::size_t rounds = scaled(1'000'000);
  run([&] {
    const auto some_rounds = [](std::size_t n) {
      for (std::size_t i = 0; i < n; ++i) {
        auto task = create_task([] { sleep(1h); });
        if (i % 2 == 0) yield();
        task.cancel();
        yield();
        yield();
      }
    };
    some_rounds(rounds / 10);
    const LoopStatistics before = loop().statistics();
    const std::size_t memory = resident_bytes();
    some_rounds(rounds);
    const LoopStatistics after = loop().statistics();
    EXPECT_EQ(before.tasks_alive, after.tasks_alive);
    EXPECT_EQ(before.timers, after.timers);
    EXPECT_EQ(before.stacks, after.stacks);
    if (!watched()) {
      EXPECT_LT(resident_bytes(), memory + (1u << 20));
    }
  });
}

// In a task: of what `count` tasks at once take, an idle loop keeps less than one part in `parts`.
void expect_a_peak_is_given_back(std::size_t count, const TaskOptions& options, std::size_t parts) {
  Crowd crowd;
  const std::size_t before = resident_bytes();
  for (std::size_t i = 0; i < count; ++i) create_task([&] { crowd.wait(); }, options);
  settle();
  const std::size_t peak = resident_bytes();
  crowd.release();
  settle();
  const std::size_t limit = before + (peak - before) / parts;
  for (int i = 0; i < 100 && resident_bytes() > limit; ++i) sleep(100ms);
  if (!watched()) {
    EXPECT_LT(resident_bytes(), limit);
  }
}

TEST_F(ManyTasksTest, MemoryOfAPeakIsGivenBackWhileTheLoopIdles) {
  run([] { expect_a_peak_is_given_back(scaled(50'000), {}, 2); });
}

TEST_F(ManyTasksTest, SoIsThatOfTasksWithStacksOfTheirOwnSize) {
  run([] { expect_a_peak_is_given_back(scaled(20'000), {.stack_size = 64 * 1024}, 4); });
}

TEST_F(ManyTasksTest, AHundredThousandYieldersTakeTurns) {
  const std::size_t count = scaled(100'000);
  run([&] {
    std::size_t turns = 0;
    std::vector<Task<void>> tasks;
    for (std::size_t i = 0; i < count; ++i) {
      tasks.push_back(create_task([&] {
        for (int turn = 0; turn < 10; ++turn) {
          ++turns;
          yield();
        }
      }));
    }
    for (auto& task : tasks) await(task);
    EXPECT_EQ(count * 10, turns);
  });
}

}  // namespace
}  // namespace asyncio::test

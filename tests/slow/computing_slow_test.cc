// Tasks that compute, in real time: whatever a step between two suspending calls costs, what is due
// is served after a few of them.  Counted in steps that begin when it is due already, as the task
// itself reads it off the clock: a busy machine makes steps longer, not more.
#include <atomic>
#include <csignal>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

void compute(Duration time) {
  for (const TimePoint end = Clock::now() + time; Clock::now() < end;) {
  }
}

class ComputingSlowTest : public LoopTest {
 protected:
  // A failing test ends all the same.
  static constexpr int too_many = 300;

  ComputingSlowTest() { real_time(); }

  /// Steps that began after `due` until served, at most too_many.
  class Late {
   public:
    bool served = false;
    TimePoint due = TimePoint::max();
    int steps = 0;

    /// One step; false: served, or too late.
    bool step(Duration time) {
      if (!served && Clock::now() >= due) ++steps;
      compute(time);
      return !served && steps < too_many;
    }
  };

  /// Computes with `tasks` tasks, in steps of `time`, until `late` is served.
  void compute_until_served(Late& late, Duration time, int tasks) {
    std::vector<Task<void>> all;
    for (int i = 0; i < tasks; ++i) {
      all.push_back(create_task([&late, time] {
        while (late.step(time)) yield();
      }));
    }
    for (auto& task : all) await(task);
  }
};

// ---- One task that only computes ----------------------------------------------------------------

/// Steps that a body makes after its timeout.  `between` is what it does between two of them.
int steps_past_a_timeout(Duration time, const std::function<void()>& between) {
  constexpr int enough = 300;
  int steps = 0;
  try {
    timeout(5ms, [&] {
      const TimePoint due = Clock::now() + 5ms;
      while (steps < enough) {
        compute(time);
        if (Clock::now() >= due) ++steps;
        between();
      }
    });
  } catch (const TimeoutException&) {
  }
  return steps;
}

TEST_F(ComputingSlowTest, L32_ATimeoutReachesATaskAtItsNextCheckpoints) {
  run([] {
    for (const Duration time : {Duration{50us}, Duration{500us}, Duration{2ms}}) {
      EXPECT_LE(steps_past_a_timeout(time, [] { checkpoint(); }), 4) << time.count() << " ns";
    }
    // Shorter ones: as many as a slice has.
    EXPECT_LE(steps_past_a_timeout(2us, [] { checkpoint(); }), 40);
  });
}

TEST_F(ComputingSlowTest, L32_ATimeoutReachesATaskThatYields) {
  run([] {
    for (const Duration time : {Duration{50us}, Duration{500us}, Duration{2ms}}) {
      EXPECT_LE(steps_past_a_timeout(time, [] { yield(); }), 4) << time.count() << " ns";
    }
  });
}

TEST_F(ComputingSlowTest, L32_ATimeoutReachesATaskWhoseEveryWaitIsOverAtOnce) {
  run([] {
    Semaphore semaphore{1};
    Mutex mutex;
    Event event;
    event.set();
    Queue<int> queue;
    auto ended = create_task([] {});
    await(ended);
    const std::function<void()> waits[] = {
        [&] { semaphore.with([] {}); },
        [&] { const std::lock_guard guard{mutex}; },
        [&] { event.wait(); },
        [&] {
          queue.put(1);
          queue.get();
        },
        [&] { await(ended); },
    };
    int index = 0;
    for (const auto& wait : waits) {
      // It looks at the clock at some of them only, and a turn fires no timer that was armed in it.
      EXPECT_LE(steps_past_a_timeout(500us, wait), 70) << "wait " << index;
      ++index;
    }
  });
}

TEST_F(ComputingSlowTest, L32_IsCancelledNoticesADeadlineThatHasPassed) {
  run([] {
    int steps = 0;
    CancellationScope scope{{.timeout = 5ms}};
    scope.enter([&] {
      const TimePoint due = Clock::now() + 5ms;
      while (!is_cancelled() && steps < too_many) {
        compute(100us);
        if (Clock::now() >= due) ++steps;
      }
      EXPECT_TRUE(scope.expired());
    });
    EXPECT_LE(steps, 1);
  });
}

// ---- Tasks that compute, and what is due beside them --------------------------------------------

TEST_F(ComputingSlowTest, L32_ATimerIsServedAfterAFewSteps) {
  run([&] {
    for (const int tasks : {1, 3, 50}) {
      for (const Duration time : {Duration{100us}, Duration{1ms}}) {
        sleep(1ms);  // until now, steps cost next to nothing
        Late late;
        late.due = Clock::now() + 1ms;
        loop().call_at(late.due, [&] { late.served = true; });
        compute_until_served(late, time, tasks);
        EXPECT_LE(late.steps, 4) << tasks << " tasks, " << time.count() << " ns";
      }
    }
  });
}

TEST_F(ComputingSlowTest, L32_ATimerIsServedAfterAFewStepsThatSuddenlyCost) {
  run([&] {
    for (int n = 0; n < 100'000; ++n) yield();  // until now they cost next to nothing
    Late late;
    late.due = Clock::now() + 1ms;
    loop().call_at(late.due, [&] { late.served = true; });
    while (late.step(1ms)) yield();
    EXPECT_LE(late.steps, 40) << "it looks at the clock at some of them only";
  });
}

TEST_F(ComputingSlowTest, L32_ASleeperRunsWithinTwoRoundsOfTheOthers) {
  run([&] {
    constexpr int tasks = 3;
    Late late;
    auto sleeper = create_task([&] {
      late.due = Clock::now() + 1ms;
      sleep_until(late.due);
      late.served = true;
    });
    yield();
    compute_until_served(late, 1ms, tasks);
    await(sleeper);
    EXPECT_LE(late.steps, 2 * tasks + 4);
  });
}

TEST_F(ComputingSlowTest, L32_AReadyDescriptorIsServedWithinTwoRoundsOfTheOthers) {
  run([&] {
    for (const int tasks : {1, 3}) {
      SocketPair pair;
      Late late;
      auto reader = create_task([&] {
        wait_readable(pair.a());
        late.served = true;
      });
      auto writer = create_task([&] {
        for (int n = 0; n < 5; ++n) {
          compute(1ms);
          yield();
        }
        pair.write(1, "x");
        late.due = Clock::now();
      });
      yield();
      compute_until_served(late, 1ms, tasks);
      await(reader);
      await(writer);
      EXPECT_LE(late.steps, 2 * tasks + 4);
    }
  });
}

TEST_F(ComputingSlowTest, L32_APostIsServedAfterAFewSteps) {
  run([&] {
    Late late;
    std::atomic<bool> posted{false};
    std::thread poster{[&, handle = loop().handle()] {
      std::this_thread::sleep_for(20ms);
      handle.call_soon_threadsafe([&] { late.served = true; });
      posted = true;
    }};
    while (late.step(1ms)) {
      if (posted && late.due == TimePoint::max()) late.due = Clock::now();
      checkpoint();
    }
    poster.join();
    EXPECT_LE(late.steps, 4);
  });
}

TEST_F(ComputingSlowTest, L32_ASignalIsServedAfterAFewSteps) {
  run([&] {
    Late late;
    loop().add_signal_handler(SIGUSR1, [&](int) { late.served = true; });
    for (int n = 0; late.step(1ms); ++n) {
      if (n == 5) {
        ::raise(SIGUSR1);
        late.due = Clock::now();
      }
      checkpoint();
    }
    loop().remove_signal_handler(SIGUSR1);
    EXPECT_LE(late.steps, 4);
  });
}

// ---- Callbacks and posts that compute -----------------------------------------------------------

TEST_F(ComputingSlowTest, L32_ATimerIsServedAfterAFewCallbacks) {
  run([&] {
    Late late;
    late.due = Clock::now() + 1ms;
    loop().call_at(late.due, [&] { late.served = true; });
    for (int i = 0; i < 50; ++i) call_soon([&] { late.step(1ms); });
    while (!late.served) yield();
    EXPECT_LE(late.steps, 4);
  });
}

TEST_F(ComputingSlowTest, L32_ATimerIsServedAfterAFewPosts) {
  run([&] {
    Late late;
    std::thread{[&, handle = loop().handle()] {
      for (int i = 0; i < 50; ++i) handle.call_soon_threadsafe([&] { late.step(1ms); });
    }}.join();
    late.due = Clock::now() + 1ms;
    loop().call_at(late.due, [&] { late.served = true; });
    while (!late.served) yield();
    EXPECT_LE(late.steps, 4);
  });
}

TEST_F(ComputingSlowTest, L30_PostsThatTakeLongKeepTheirOrder) {
  run([&] {
    std::vector<int> seen;
    std::thread{[&, handle = loop().handle()] {
      for (int i = 0; i < 50; ++i) {
        handle.call_soon_threadsafe([&seen, i] {
          compute(50us);
          seen.push_back(i);
        });
      }
    }}.join();
    while (seen.size() < 50) yield();
    for (int i = 0; i < 50; ++i) EXPECT_EQ(i, seen[static_cast<std::size_t>(i)]);
  });
}

TEST_F(ComputingSlowTest, L31_ABatchThatTakesLongKeepsItsOrder) {
  keep_order();
  run([&] {
    std::vector<int> seen;
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 50; ++i) {
      tasks.push_back(create_task([&seen, i] {
        for (int round = 0; round < 4; ++round) {
          compute(50us);
          seen.push_back(i);
          yield();
        }
      }));
    }
    for (auto& task : tasks) await(task);
    for (int n = 0; n < 200; ++n) EXPECT_EQ(n % 50, seen[static_cast<std::size_t>(n)]);
  });
}

}  // namespace
}  // namespace asyncio::test

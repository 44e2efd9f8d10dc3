// A loop that always has something ready, in real time, the same on every backend: descriptors,
// deadlines and signals must not wait for it to be idle.
#include <atomic>
#include <csignal>
#include <cstdint>
#include <thread>
#include <vector>

#include <pthread.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class LoadConformance : public LoopTest {
 protected:
  void SetUp() override { real_time(); }

  /// Runs `body` beside tasks that are ready all the time.
  template <class F>
  void run_under_load(F&& body, int busy_tasks = 3) {
    run([&] {
      bool stop = false;
      std::vector<Task<void>> busy;
      for (int i = 0; i < busy_tasks; ++i) {
        busy.push_back(create_task([&] {
          while (!stop) yield();
        }));
      }
      body();
      stop = true;
      for (auto& task : busy) await(task);
    });
  }
};

TEST_F(LoadConformance, L31_ReadyDataBeatsATimeoutThatHasPassedAlready) {
  run_under_load([] {
    SocketPair pair;
    for (int i = 0; i < 200; ++i) {
      pair.write(1, "x");
      ASSERT_TRUE(wait_readable(pair.a(), Duration{i % 2})) << "round " << i;
      pair.read(0);
      ASSERT_FALSE(wait_readable(pair.a(), 0s));
    }
  });
}

TEST_F(LoadConformance, L32_ATurnIsOneBatchAndAtMostASliceOfTheNext) {
  constexpr std::uint64_t tasks = 3;
  run([&] {
    const LoopStatistics before = loop().statistics();
    std::vector<Task<void>> busy;
    for (std::uint64_t i = 0; i < tasks; ++i) {
      busy.push_back(create_task([] {
        for (int n = 0; n < 100; ++n) {
          // Longer than a slice, so that one step of it ends each.
          for (const TimePoint began = Clock::now(); Clock::now() - began < 50us;) continue;
          yield();
        }
      }));
    }
    for (auto& task : busy) await(task);
    const LoopStatistics after = loop().statistics();
    const std::uint64_t turns = after.turns - before.turns;
    EXPECT_GE(turns * (tasks + 1), after.switches - before.switches);
  });
}

// Two loops, each with a signal of its own: none takes what is the other's.
TEST_F(LoadConformance, L26_LoopsSideBySideLoseNoSignal) {
  constexpr int rounds = 300;
  const auto receive = [](int signo, std::atomic<int>& seen, std::atomic<bool>& ready) {
    EventLoop own{make_backend("auto")};
    own.run([&] {
      own.add_signal_handler(signo, [&](int) { ++seen; });
      ready = true;
      while (seen < rounds) sleep(50us);
      own.remove_signal_handler(static_cast<std::uint64_t>(signo));
    });
  };
  std::atomic<int> seen[2] = {0, 0};
  std::atomic<bool> ready[2] = {false, false};
  std::thread loops[2];
  const int signals[2] = {SIGUSR1, SIGUSR2};
  for (int i = 0; i < 2; ++i) {
    loops[i] = std::thread{[&, i] { receive(signals[i], seen[i], ready[i]); }};
  }
  while (!ready[0] || !ready[1]) std::this_thread::yield();
  for (int round = 0; round < rounds; ++round) {
    for (int i = 0; i < 2; ++i) ::raise(signals[i]);
    while (seen[0] <= round || seen[1] <= round) std::this_thread::yield();
  }
  for (std::thread& thread : loops) thread.join();
  EXPECT_EQ(rounds, seen[0]);
  EXPECT_EQ(rounds, seen[1]);
}

}  // namespace
}  // namespace asyncio::test

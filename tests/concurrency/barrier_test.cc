// Barriers: the n-th arrival opens them, generation by generation.
#include <algorithm>
#include <memory>
#include <stdexcept>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class BarrierTest : public LoopTest {};

TEST_F(BarrierTest, P1_FewerThanOnePartyIsRefused) {
  EXPECT_THROW(Barrier(0), std::invalid_argument);
  EXPECT_THROW(Barrier(-1), std::invalid_argument);
}

TEST_F(BarrierTest, P18_TheLastArrivalReleasesAll) {
  run([] {
    Barrier barrier{4};
    std::vector<Task<int>> tasks;
    for (int i = 0; i < 3; ++i) {
      tasks.push_back(create_task([&] { return barrier.wait(); }));
      settle();
      EXPECT_EQ(i + 1, barrier.waiting_count());
      for (const auto& task : tasks) EXPECT_FALSE(task.is_done());
    }
    {
      const ExpectNoSuspend check;
      EXPECT_EQ(3, barrier.wait());
    }
    EXPECT_EQ(0, barrier.waiting_count());
    for (int i = 0; i < 3; ++i)
      EXPECT_EQ(i, await(tasks[static_cast<std::size_t>(i)]))
          << "the place in the order of arrival";
  });
}

TEST_F(BarrierTest, P18_OfOneOpensAtOnce) {
  run([] {
    Barrier barrier{1};
    EXPECT_EQ(0, barrier.wait());
    EXPECT_EQ(0, barrier.wait());
  });
}

TEST_F(BarrierTest, P18_TheNextGenerationDoesNotMixWithTheDrainingOne) {
  run([] {
    Barrier barrier{2};
    auto first = create_task([&] { return barrier.wait(); });
    settle();
    EXPECT_EQ(1, barrier.wait());
    // `first` has been released and has not run yet.
    auto third = create_task([&] { return barrier.wait(); });
    settle();
    EXPECT_EQ(0, await(first));
    EXPECT_FALSE(third.is_done());
    EXPECT_EQ(1, barrier.waiting_count());
    EXPECT_EQ(1, barrier.wait());
    EXPECT_EQ(0, await(third));
  });
}

TEST_F(BarrierTest, P18_EveryRoundGivesEachIndexOnce) {
  run([] {
    constexpr int parties = 5;
    constexpr int rounds = 20;
    Barrier barrier{parties};
    std::vector<std::vector<int>> seen(rounds);
    std::vector<Task<void>> tasks;
    for (int i = 0; i < parties; ++i) {
      tasks.push_back(create_task([&, i] {
        for (std::size_t round = 0; round < rounds; ++round) {
          for (std::size_t n = 0; n < (static_cast<std::size_t>(i) + round) % 3; ++n) yield();
          seen[round].push_back(barrier.wait());
          if (round > 0) {
            EXPECT_EQ(std::size_t{parties}, seen[round - 1].size());
          }
        }
      }));
    }
    for (const auto& task : tasks) await(task);
    for (auto& indices : seen) {
      std::sort(indices.begin(), indices.end());
      EXPECT_EQ((std::vector{0, 1, 2, 3, 4}), indices);
    }
  });
}

TEST_F(BarrierTest, P19_ACancelledWaiterNoLongerCounts) {
  run([] {
    Barrier barrier{3};
    auto gone = create_task([&] { return barrier.wait(); });
    settle();
    auto stays = create_task([&] { return barrier.wait(); });
    settle();
    gone.cancel();
    EXPECT_EQ(1, barrier.waiting_count());
    EXPECT_THROW(await(gone), TaskCancelledException);
    EXPECT_FALSE(barrier.is_broken());
    auto third = create_task([&] { return barrier.wait(); });
    settle();
    EXPECT_FALSE(stays.is_done()) << "two are not three";
    EXPECT_EQ(2, barrier.wait());
    EXPECT_EQ(0, await(stays)) << "the place given up leaves no gap";
    EXPECT_EQ(1, await(third));
  });
}

TEST_F(BarrierTest, P19_ReleasedBeforeTheCancelItHasPassed) {
  run([] {
    Barrier barrier{2};
    int index = -1;
    auto task = create_task([&] {
      index = barrier.wait();
      sleep(0s);
      ADD_FAILURE() << "the next suspending call throws";
    });
    settle();
    EXPECT_EQ(1, barrier.wait());
    task.cancel();
    EXPECT_EQ(0, barrier.waiting_count());
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ(0, index);
  });
}

TEST_F(BarrierTest, P19_AbortBreaksItForAllUntilReset) {
  run([] {
    Barrier barrier{3};
    auto first = create_task([&] { return barrier.wait(); });
    auto second = create_task([&] { return barrier.wait(); });
    settle();
    barrier.abort();
    EXPECT_TRUE(barrier.is_broken());
    EXPECT_EQ(0, barrier.waiting_count());
    EXPECT_THROW(await(first), BrokenBarrierError);
    EXPECT_THROW(await(second), BrokenBarrierError);
    EXPECT_THROW(barrier.wait(), BrokenBarrierError) << "also for who comes later";
    EXPECT_EQ(0, barrier.waiting_count());
    barrier.reset();
    EXPECT_FALSE(barrier.is_broken());
    auto third = create_task([&] { return barrier.wait(); });
    auto fourth = create_task([&] { return barrier.wait(); });
    settle();
    EXPECT_EQ(2, barrier.wait());
    EXPECT_EQ(1, await(third) + await(fourth));
  });
}

TEST_F(BarrierTest, P19_ResetWakesWhoWaitsAndStartsAfresh) {
  run([] {
    Barrier barrier{2};
    auto first = create_task([&] { return barrier.wait(); });
    settle();
    barrier.reset();
    EXPECT_FALSE(barrier.is_broken());
    auto second = create_task([&] { return barrier.wait(); });
    settle();
    EXPECT_THROW(await(first), BrokenBarrierError);
    EXPECT_FALSE(second.is_done()) << "the one that was reset does not count";
    EXPECT_EQ(1, barrier.wait());
    EXPECT_EQ(0, await(second));
  });
}

TEST_F(BarrierTest, P13_DestroyedWithWaitersTheyGetBrokenBarrierError) {
  run([] {
    auto barrier = std::make_unique<Barrier>(3);
    auto first = create_task([&] { barrier->wait(); });
    auto second = create_task([&] { barrier->wait(); });
    settle();
    barrier.reset();
    EXPECT_THROW(await(first), BrokenBarrierError);
    EXPECT_THROW(await(second), BrokenBarrierError);
  });
}

TEST_F(BarrierTest, P26_TimeoutAndOpeningInTheSameTurnIsOpened) {
  run([this] {
    Barrier barrier{2};
    auto task = create_task([&] { return timeout(10ms, [&] { return barrier.wait(); }); });
    settle();
    clock.advance(20ms);
    EXPECT_EQ(1, barrier.wait());
    EXPECT_EQ(0, await(task));
    EXPECT_THROW(timeout(10ms, [&] { barrier.wait(); }), TimeoutException);
    EXPECT_EQ(0, barrier.waiting_count());
  });
}

TEST_F(BarrierTest, P27_OutsideATaskWaitIsAnError) {
  Barrier barrier{2};
  EXPECT_THROW(barrier.wait(), NotInTaskError);
  EXPECT_EQ(0, barrier.waiting_count());
  barrier.abort();
  EXPECT_TRUE(barrier.is_broken());
  barrier.reset();
  EXPECT_FALSE(barrier.is_broken());
}

TEST_F(BarrierTest, P28_TheFastPathStarvesNobody) {
  run([] {
    Barrier barrier{1};
    int turns = 0;
    bool stop = false;
    auto other = create_task([&] {
      while (!stop) {
        yield();
        ++turns;
      }
    });
    for (int i = 0; i < 100'000; ++i) barrier.wait();
    EXPECT_LT(10, turns);
    stop = true;
    await(other);
  });
}

}  // namespace
}  // namespace asyncio::test

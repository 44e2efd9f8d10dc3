// Semaphores: who gets a permit, in which order, and that none is ever lost.
#include <algorithm>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class SemaphoreTest : public LoopTest {};

TEST_F(SemaphoreTest, P1_FewerThanOnePermitIsRefused) {
  EXPECT_THROW(Semaphore(0), std::invalid_argument);
  EXPECT_THROW(Semaphore(-1), std::invalid_argument);
  EXPECT_THROW(semaphore(0), std::invalid_argument);
  EXPECT_THROW(CapacityLimiter(0), std::invalid_argument);
  CapacityLimiter limiter{2};
  EXPECT_THROW(limiter.set_max(0), std::invalid_argument);
  EXPECT_EQ(2, limiter.max());
  const int most = std::numeric_limits<int>::max();
  EXPECT_EQ(most, Semaphore(most).available());
}

TEST_F(SemaphoreTest, P2_ManyWaitersAreServedInOrderOfArrival) {
  run([] {
    Semaphore gate{1};
    gate.acquire();
    std::vector<int> order;
    for (int i = 0; i < 20; ++i) {
      create_task([&, i] {
        gate.acquire();
        order.push_back(i);
      });
      settle();
    }
    EXPECT_EQ(20u, gate.waiting_count());
    std::vector<int> expected;
    for (int i = 0; i < 20; ++i) {
      gate.release();
      EXPECT_FALSE(gate.try_acquire()) << "overtook a waiter";
      settle();
      expected.push_back(i);
      EXPECT_EQ(expected, order);
    }
    EXPECT_EQ(0u, gate.waiting_count());
  });
}

TEST_F(SemaphoreTest, P2_ALateAcquireDoesNotOvertakeAWaiter) {
  run([] {
    Semaphore gate{1};
    gate.acquire();
    std::string order;
    auto early = create_task([&] {
      gate.acquire();
      order += "early ";
      gate.release();
    });
    settle();
    gate.release();  // on its way to `early`, which has not run yet
    gate.acquire();
    order += "late";
    EXPECT_EQ("early late", order);
    await(early);
  });
}

TEST_F(SemaphoreTest, P2_ATryAcquireDoesNotOvertakeALargeRequest) {
  run([] {
    Semaphore gate{2};
    gate.acquire();
    auto large = create_task([&] { gate.acquire(2); });
    settle();
    EXPECT_EQ(1, gate.available());
    EXPECT_FALSE(gate.try_acquire());
    gate.release();
    await(large);
    EXPECT_EQ(0, gate.available());
  });
}

TEST_F(SemaphoreTest, P3_ReleaseHandsThePermitOver) {
  run([] {
    Semaphore gate{1};
    gate.acquire();
    auto waiter = create_task([&] { gate.acquire(); });
    settle();
    gate.release();
    EXPECT_FALSE(waiter.is_done());
    EXPECT_EQ(0, gate.available()) << "the permit is the waiter's before it runs";
    EXPECT_EQ(0u, gate.waiting_count());
    await(waiter);
    EXPECT_EQ(0, gate.available());
    EXPECT_EQ(2u, gate.stats().acquired);
    EXPECT_EQ(1u, gate.stats().contended);
  });
}

TEST_F(SemaphoreTest, P3_PermitsAreConservedWhateverIsCancelled) {
  run([] {
    Semaphore gate{3};
    int inside = 0;
    int most = 0;
    int visits = 0;
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 60; ++i) {
      tasks.push_back(create_task([&, i] {
        for (int round = 0; round < 3; ++round) {
          gate.with([&] {
            ++visits;
            most = std::max(most, ++inside);
            EXPECT_GE(3, inside + gate.available());
            struct Leave {
              int& count;
              ~Leave() { --count; }
            } leave{inside};
            for (int n = 0; n < i % 4; ++n) yield();
          });
        }
      }));
    }
    for (std::size_t i = 0; i < tasks.size(); i += 2) {
      yield();
      tasks[i].cancel();
    }
    settle();
    EXPECT_EQ(3, gate.available());
    EXPECT_EQ(0, inside);
    EXPECT_EQ(3, most);
    EXPECT_LE(30 * 3, visits);
    EXPECT_EQ(0u, gate.waiting_count());
  });
}

TEST_F(SemaphoreTest, P4_OverReleaseIsAnError) {
  run([] {
    Semaphore gate{2};
    EXPECT_THROW(gate.release(), InvalidStateError);
    gate.acquire();
    EXPECT_THROW(gate.release(2), InvalidStateError);
    EXPECT_THROW(gate.release(0), InvalidStateError);
    EXPECT_THROW(gate.release(-1), InvalidStateError);
    EXPECT_EQ(1, gate.available()) << "a refused release changes nothing";
    gate.release();
    EXPECT_THROW(gate.release(), InvalidStateError);
    EXPECT_EQ(2, gate.available());
  });
}

TEST_F(SemaphoreTest, P5_ATaskThatDidNotAcquireMayRelease) {
  run([] {
    Semaphore gate{1};
    gate.acquire();
    await(create_task([&] { gate.release(); }));
    EXPECT_EQ(1, gate.available());
  });
}

TEST_F(SemaphoreTest, P6_ACallbackMayRelease) {
  run([] {
    Semaphore gate{1};
    gate.acquire();
    call_soon([&] { gate.release(); });
    gate.acquire();
    get_event_loop().call_soon_threadsafe([&] { gate.release(); });
    gate.acquire();
    EXPECT_EQ(3u, gate.stats().acquired);
  });
}

TEST_F(SemaphoreTest, P6_AReleaseFromAnotherThreadIsRefused) {
  run([] {
    Semaphore gate{1};
    gate.acquire();
    auto waiter = create_task([&] { gate.acquire(); });
    settle();
    std::thread{[&] { EXPECT_THROW(gate.release(), InvalidStateError); }}.join();
    settle();
    EXPECT_FALSE(waiter.is_done());
    EXPECT_EQ(1u, gate.waiting_count());
    gate.release();
    await(waiter);
  });
}

TEST_F(SemaphoreTest, P7_WithReleasesOnceWhateverTheBodyDoes) {
  run([] {
    Semaphore gate{2};
    EXPECT_EQ(5, gate.with([&] {
      EXPECT_EQ(1, gate.available());
      return 5;
    }));
    EXPECT_EQ(2, gate.available());

    int place = 0;
    static_assert(std::is_same_v<int&, decltype(gate.with([&]() -> int& { return place; }))>);
    EXPECT_EQ(8, *gate.with([] { return std::make_unique<int>(8); }));

    EXPECT_THROW(gate.with([] { throw std::out_of_range("far"); }), std::out_of_range);
    EXPECT_EQ(2, gate.available());

    auto task = create_task([&] { gate.with([] { sleep(1h); }); });
    settle();
    EXPECT_EQ(1, gate.available());
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ(2, gate.available());
  });
}

TEST_F(SemaphoreTest, P7_ABodyThatReleasesByItselfMakesTheGuardOverRelease) {
  run([] {
    Semaphore gate{1};
    EXPECT_THROW(gate.with([&] { gate.release(); }), InvalidStateError);
    EXPECT_EQ(1, gate.available());
    EXPECT_THROW(gate.with([&] {
      gate.release();
      throw std::out_of_range("far");
    }),
                 std::out_of_range)
        << "the body's own failure passes";
    EXPECT_EQ(1, gate.available());
  });
}

TEST_F(SemaphoreTest, P7_APermitIsGivenBackByWhoHasItLast) {
  run([] {
    Semaphore gate{3};
    {
      SemaphorePermit permit = gate.acquire_permit(2);
      EXPECT_TRUE(permit);
      EXPECT_EQ(2, permit.count());
      EXPECT_EQ(1, gate.available());
      auto task = create_task([permit = std::move(permit)] { sleep(1s); });
      EXPECT_FALSE(permit);
      EXPECT_EQ(0, permit.count());
      permit.release();
      EXPECT_EQ(1, gate.available()) << "one that holds nothing gives nothing back";
      await(task);
      EXPECT_EQ(3, gate.available());
    }
    EXPECT_EQ(3, gate.available());

    SemaphorePermit kept = gate.acquire_permit();
    kept = gate.acquire_permit(2);
    EXPECT_EQ(1, gate.available()) << "the one that is overwritten comes back";
    kept.release();
    EXPECT_EQ(3, gate.available());
    kept.release();
    EXPECT_EQ(3, gate.available());
  });
}

TEST_F(SemaphoreTest, P7_APermitComesBackHoweverItsTaskEnds) {
  run([] {
    Semaphore gate{1};
    auto task = create_task([&] {
      const SemaphorePermit permit = gate.acquire_permit();
      sleep_forever();
    });
    settle();
    EXPECT_EQ(std::nullopt, gate.try_acquire_permit());
    auto waiting = create_task([&] { const SemaphorePermit permit = gate.acquire_permit(); });
    settle();
    EXPECT_EQ(1u, gate.waiting_count());
    task.cancel();
    await(waiting);
    EXPECT_EQ(1, gate.available());
    EXPECT_TRUE(gate.try_acquire_permit());
    EXPECT_EQ(1, gate.available());
  });
}

TEST_F(SemaphoreTest, P7_APermitThatSomebodyElseGaveBackIsNotGivenBackAgain) {
  run([] {
    Semaphore gate{1};
    {
      const SemaphorePermit permit = gate.acquire_permit();
      gate.release();
    }
    EXPECT_EQ(1, gate.available());
    SemaphorePermit permit = gate.acquire_permit();
    gate.release();
    EXPECT_THROW(permit.release(), InvalidStateError);
    SemaphorePermit forgotten = gate.acquire_permit();
    forgotten.forget();
    EXPECT_FALSE(forgotten);
    EXPECT_EQ(0, gate.available());
    gate.release();
  });
}

TEST_F(SemaphoreTest, P8_MoreThanThereEverAreIsAnError) {
  run([] {
    Semaphore gate{3};
    EXPECT_THROW(gate.acquire(4), std::invalid_argument);
    EXPECT_THROW(gate.try_acquire(4), std::invalid_argument);
    EXPECT_THROW(gate.acquire(0), std::invalid_argument);
    EXPECT_THROW(gate.acquire(-1), std::invalid_argument);
    EXPECT_EQ(3, gate.available());
    gate.acquire(3);
    EXPECT_EQ(0, gate.available());
    gate.release(3);
    EXPECT_EQ(3, gate.available());
  });
}

TEST_F(SemaphoreTest, P8_ALargeRequestIsNotStarvedBySmallOnes) {
  run([] {
    Semaphore gate{3};
    gate.acquire();
    std::string order;
    auto large = create_task([&] {
      gate.acquire(3);
      order += "large ";
      gate.release(3);
    });
    settle();
    auto small = create_task([&] {
      gate.acquire();
      order += "small";
      gate.release();
    });
    settle();
    EXPECT_EQ(2, gate.available());
    EXPECT_EQ("", order);
    gate.release();
    await(small);
    EXPECT_EQ("large small", order);
    EXPECT_TRUE(large.is_done());
  });
}

TEST_F(SemaphoreTest, P8_ALargeRequestThatGivesUpLetsSmallOnesIn) {
  run([] {
    Semaphore gate{3};
    gate.acquire();
    auto large = create_task([&] { gate.acquire(3); });
    settle();
    auto first = create_task([&] { gate.acquire(); });
    auto second = create_task([&] { gate.acquire(); });
    settle();
    EXPECT_EQ(3u, gate.waiting_count());
    large.cancel();
    settle();
    EXPECT_TRUE(first.is_done());
    EXPECT_TRUE(second.is_done());
    EXPECT_EQ(0, gate.available());
    EXPECT_EQ(0u, gate.waiting_count());
  });
}

TEST_F(SemaphoreTest, P9_AHigherLimitWakesWaiters) {
  run([] {
    CapacityLimiter gate{1};
    gate.acquire();
    int inside = 0;
    for (int i = 0; i < 3; ++i) {
      create_task([&] {
        gate.acquire();
        ++inside;
      });
    }
    settle();
    EXPECT_EQ(0, inside);
    gate.set_max(3);
    settle();
    EXPECT_EQ(2, inside);
    EXPECT_EQ(1u, gate.waiting_count());
    EXPECT_EQ(0, gate.available());
    gate.release(3);
    settle();
    EXPECT_EQ(3, inside);
    EXPECT_EQ(2, gate.available());
  });
}

TEST_F(SemaphoreTest, P9_ALowerLimitWaitsForPermitsToComeBack) {
  run([] {
    CapacityLimiter gate{3};
    gate.acquire(3);
    gate.set_max(1);
    EXPECT_EQ(1, gate.max());
    auto waiter = create_task([&] { gate.acquire(); });
    settle();
    for (int i = 0; i < 2; ++i) {
      gate.release();
      settle();
      EXPECT_FALSE(waiter.is_done()) << "one permit too many is still out";
      EXPECT_FALSE(gate.try_acquire());
    }
    gate.release();
    await(waiter);
    EXPECT_EQ(0, gate.available());
    gate.release();
    EXPECT_EQ(1, gate.available());
    EXPECT_THROW(gate.release(), InvalidStateError);
  });
}

TEST_F(SemaphoreTest, P13_DestroyedWithWaitersTheyGetClosedError) {
  run([] {
    auto gate = std::make_unique<Semaphore>(1);
    gate->acquire();
    std::vector<Task<void>> waiters;
    for (int i = 0; i < 3; ++i) waiters.push_back(create_task([&] { gate->acquire(); }));
    settle();
    gate.reset();
    for (const auto& waiter : waiters) EXPECT_THROW(await(waiter), ClosedError);
  });
}

TEST_F(SemaphoreTest, P26_TimeoutAndHandOverInTheSameTurnIsAcquired) {
  run([this] {
    Semaphore gate{1};
    gate.acquire();
    auto waiter = create_task([&] { timeout(10ms, [&] { gate.acquire(); }); });
    settle();
    clock.advance(20ms);  // due, but the loop has not looked yet
    gate.release();
    EXPECT_NO_THROW(await(waiter));
    EXPECT_EQ(0, gate.available());
  });
}

TEST_F(SemaphoreTest, P26_TimeoutEndsTheWaitAndTakesNothing) {
  run([this] {
    Semaphore gate{1};
    gate.acquire();
    EXPECT_THROW(timeout(10ms, [&] { gate.acquire(); }), TimeoutException);
    EXPECT_EQ(10ms, elapsed());
    EXPECT_EQ(0u, gate.waiting_count());
    gate.release();
    EXPECT_EQ(1, gate.available());
  });
}

TEST_F(SemaphoreTest, P26_NoTimeAtAllTriesOnce) {
  run([this] {
    Semaphore gate{1};
    EXPECT_NO_THROW(timeout(0s, [&] { EXPECT_TRUE(gate.try_acquire()); }));
    EXPECT_THROW(timeout(0s, [&] { gate.acquire(); }), TimeoutException);
    EXPECT_EQ(0us, elapsed());
    EXPECT_EQ(0, gate.available());
    EXPECT_EQ(0u, gate.waiting_count());
  });
}

TEST_F(SemaphoreTest, P27_OutsideATaskOnlyWaitingIsAnError) {
  Semaphore gate{2};
  gate.acquire();
  EXPECT_TRUE(gate.try_acquire());
  EXPECT_FALSE(gate.try_acquire());
  EXPECT_THROW(gate.acquire(), NotInTaskError);
  EXPECT_EQ(0u, gate.waiting_count());
  gate.release(2);
  EXPECT_EQ(1, gate.with([&] { return gate.available(); }));
  run([&] {
    bool checked = false;
    call_soon([&] {
      gate.acquire(2);
      EXPECT_THROW(gate.acquire(), NotInTaskError);
      gate.release(2);
      checked = true;
    });
    settle();
    EXPECT_TRUE(checked);
  });
}

TEST_F(SemaphoreTest, P28_TheFastPathStarvesNobody) {
  run([] {
    Semaphore gate{1};
    int turns = 0;
    bool stop = false;
    auto other = create_task([&] {
      while (!stop) {
        yield();
        ++turns;
      }
    });
    for (int i = 0; i < 100'000; ++i) {
      gate.acquire();
      gate.release();
    }
    EXPECT_LT(10, turns);
    stop = true;
    await(other);
  });
}

TEST_F(SemaphoreTest, P28_TheFastPathSeldomSuspends) {
  run([] {
    Semaphore gate{1};
    const ExpectNoSuspend check;
    gate.acquire();
    gate.release();
  });
}

TEST_F(SemaphoreTest, C16_APermitHandedOverBeforeTheCancelIsTheTasks) {
  run([] {
    Semaphore gate{1};
    gate.acquire();
    bool owned = false;
    auto waiter = create_task([&] {
      gate.with([&] {
        owned = true;
        EXPECT_EQ(0, gate.available());
        sleep(0s);
        ADD_FAILURE() << "the next suspending call throws";
      });
    });
    settle();
    gate.release();
    EXPECT_TRUE(waiter.cancel());
    EXPECT_EQ(0, gate.available());
    EXPECT_THROW(await(waiter), TaskCancelledException);
    EXPECT_TRUE(owned);
    EXPECT_EQ(1, gate.available());
  });
}

TEST_F(SemaphoreTest, C16_CancelledBeforeTheReleaseItGoesToTheNext) {
  run([] {
    Semaphore gate{1};
    gate.acquire();
    auto first = create_task([&] { gate.acquire(); });
    settle();
    auto second = create_task([&] { gate.acquire(); });
    settle();
    first.cancel();
    EXPECT_EQ(1u, gate.waiting_count());
    gate.release();
    EXPECT_NO_THROW(await(second));
    EXPECT_THROW(await(first), TaskCancelledException);
    EXPECT_EQ(0, gate.available());
  });
}

TEST_F(SemaphoreTest, C16_APendingCancelThrowsBeforeAnythingIsTaken) {
  run([] {
    Semaphore gate{1};
    auto task = create_task([&] {
      current_task().cancel();
      gate.acquire();
      ADD_FAILURE() << "acquired";
    });
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ(1, gate.available());
  });
}

TEST_F(SemaphoreTest, P9_ARequestThatShrinkingMadeImpossibleFailsAndHoldsUpNobody) {
  run([] {
    CapacityLimiter limiter{5};
    limiter.acquire(2);
    auto large = create_task([&] { limiter.acquire(4); });
    settle();
    auto small = create_task([&] { limiter.acquire(1); });
    settle();
    EXPECT_FALSE(small.is_done());
    limiter.set_max(3);
    EXPECT_THROW(await(large), InvalidStateError);
    await(small);
    limiter.release(3);
    EXPECT_EQ(3, limiter.stats().available);
  });
}

}  // namespace
}  // namespace asyncio::test

// Mutexes: owned by a task, handed over in order, and never left locked without a word.
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class MutexTest : public LoopTest {};

TEST_F(MutexTest, P2_WaitersGetItInOrderOfArrival) {
  run([] {
    Mutex mutex;
    mutex.lock();
    std::vector<int> order;
    std::vector<int> expected;
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 20; ++i) {
      tasks.push_back(create_task([&, i] {
        const std::lock_guard guard{mutex};
        order.push_back(i);
        yield();
      }));
      settle();
      expected.push_back(i);
    }
    EXPECT_EQ(20u, mutex.waiting_count());
    mutex.unlock();
    for (const auto& task : tasks) await(task);
    EXPECT_EQ(expected, order);
    EXPECT_EQ(21u, mutex.stats().acquired);
    EXPECT_EQ(20u, mutex.stats().contended);
    EXPECT_FALSE(mutex.is_locked());
  });
}

TEST_F(MutexTest, P2_NobodyBargesInBetweenUnlockAndTheWoken) {
  run([] {
    Mutex mutex;
    mutex.lock();
    std::string order;
    auto early = create_task([&] {
      const std::lock_guard guard{mutex};
      order += "early ";
    });
    settle();
    mutex.unlock();
    EXPECT_TRUE(mutex.is_locked()) << "it is the waiter's before the waiter runs";
    EXPECT_FALSE(mutex.owned_by_current_task());
    EXPECT_FALSE(mutex.try_lock());
    mutex.lock();
    order += "late";
    mutex.unlock();
    EXPECT_EQ("early late", order);
    await(early);
  });
}

TEST_F(MutexTest, P5_OnlyTheOwnerUnlocks) {
  run([] {
    Mutex mutex;
    mutex.lock();
    await(create_task([&] { EXPECT_THROW(mutex.unlock(), InvalidStateError); }));
    EXPECT_TRUE(mutex.owned_by_current_task());
    bool checked = false;
    call_soon([&] {
      EXPECT_THROW(mutex.unlock(), InvalidStateError);
      checked = true;
    });
    settle();
    EXPECT_TRUE(checked);
    mutex.unlock();
  });
}

TEST_F(MutexTest, P10_LockedTwiceByItsOwnerIsAnError) {
  run([] {
    Mutex mutex;
    mutex.lock();
    EXPECT_THROW(mutex.lock(), InvalidStateError);
    EXPECT_FALSE(mutex.try_lock());
    EXPECT_TRUE(mutex.owned_by_current_task());
    mutex.unlock();
    EXPECT_FALSE(mutex.is_locked()) << "one unlock is enough";
  });
}

TEST_F(MutexTest, P10_UnlockedWhenNotLockedIsAnError) {
  run([] {
    Mutex mutex;
    EXPECT_THROW(mutex.unlock(), InvalidStateError);
    mutex.lock();
    mutex.unlock();
    EXPECT_THROW(mutex.unlock(), InvalidStateError);
    EXPECT_TRUE(mutex.try_lock());
    mutex.unlock();
  });
}

TEST_F(MutexTest, P11_AnOwnerThatEndsBreaksIt) {
  run([] {
    Mutex mutex;
    auto owner = create_task([&] {
      mutex.lock();
      sleep(1s);
    });
    settle();
    std::vector<Task<void>> waiters;
    for (int i = 0; i < 3; ++i) waiters.push_back(create_task([&] { mutex.lock(); }));
    settle();
    EXPECT_EQ(3u, mutex.waiting_count());
    await(owner);
    for (const auto& waiter : waiters) EXPECT_THROW(await(waiter), InvalidStateError);
    EXPECT_EQ(0u, mutex.waiting_count());
    EXPECT_THROW(mutex.lock(), InvalidStateError) << "also for who comes later";
    EXPECT_THROW(mutex.try_lock(), InvalidStateError);
    EXPECT_FALSE(mutex.is_locked());
  });
}

TEST_F(MutexTest, P11_ACancelledOwnerToo) {
  run([] {
    Mutex mutex;
    auto owner = create_task([&] {
      mutex.lock();
      sleep(1h);
    });
    settle();
    auto waiter = create_task([&] { mutex.lock(); });
    settle();
    owner.cancel();
    EXPECT_THROW(await(waiter), InvalidStateError);
  });
}

TEST_F(MutexTest, P11_GuardsOfABrokenOneDoNotThrow) {
  run([] {
    Mutex mutex;
    Condition changed{mutex};
    auto waiter = create_task([&] {
      const std::unique_lock guard{mutex};
      changed.wait();
      ADD_FAILURE() << "nobody notified";
    });
    settle();
    auto owner = create_task([&] { mutex.lock(); });
    EXPECT_THROW(await(waiter), InvalidStateError) << "nobody could notify it any more";
    await(owner);
    mutex.unlock();
  });
}

TEST_F(MutexTest, P12_AGuardHandsOverDuringUnwinding) {
  run([] {
    Mutex mutex;
    auto failing = create_task([&] {
      const std::lock_guard guard{mutex};
      sleep(1s);
      throw std::out_of_range("far");
    });
    settle();
    auto cancelled = create_task([&] {
      const std::lock_guard guard{mutex};
      sleep(1h);
    });
    settle();
    auto last = create_task([&] { const std::lock_guard guard{mutex}; });
    settle();
    EXPECT_THROW(await(failing), std::out_of_range);
    settle();
    EXPECT_EQ(1u, mutex.waiting_count()) << "the second has it now";
    cancelled.cancel();
    EXPECT_NO_THROW(await(last));
    EXPECT_THROW(await(cancelled), TaskCancelledException);
    EXPECT_FALSE(mutex.is_locked());
  });
}

TEST_F(MutexTest, P13_DestroyedWithWaitersTheyGetClosedError) {
  run([] {
    auto mutex = std::make_unique<Mutex>();
    mutex->lock();
    std::vector<Task<void>> waiters;
    for (int i = 0; i < 3; ++i) waiters.push_back(create_task([&] { mutex->lock(); }));
    settle();
    mutex.reset();
    for (const auto& waiter : waiters) EXPECT_THROW(await(waiter), ClosedError);
  });
}

TEST_F(MutexTest, P26_TimeoutAndHandOverInTheSameTurnIsAcquired) {
  run([this] {
    Mutex mutex;
    mutex.lock();
    auto waiter = create_task([&] {
      timeout(10ms, [&] { mutex.lock(); });
      EXPECT_TRUE(mutex.owned_by_current_task());
      mutex.unlock();
    });
    settle();
    clock.advance(20ms);
    mutex.unlock();
    EXPECT_NO_THROW(await(waiter));
    EXPECT_FALSE(mutex.is_locked());
  });
}

TEST_F(MutexTest, P26_TimeoutEndsTheWait) {
  run([this] {
    Mutex mutex;
    mutex.lock();
    auto waiter = create_task([&] { timeout(10ms, [&] { mutex.lock(); }); });
    EXPECT_THROW(await(waiter), TimeoutException);
    EXPECT_EQ(10ms, elapsed());
    EXPECT_EQ(0u, mutex.waiting_count());
    mutex.unlock();
    EXPECT_FALSE(mutex.is_locked());
  });
}

TEST_F(MutexTest, P27_OutsideATaskThereIsNoOwner) {
  Mutex mutex;
  EXPECT_THROW(mutex.lock(), NotInTaskError);
  EXPECT_THROW(mutex.try_lock(), NotInTaskError);
  EXPECT_THROW(mutex.unlock(), InvalidStateError);
  EXPECT_FALSE(mutex.is_locked());
  EXPECT_FALSE(mutex.owned_by_current_task());
}

TEST_F(MutexTest, P28_TheFastPathStarvesNobody) {
  run([] {
    Mutex mutex;
    int turns = 0;
    bool stop = false;
    auto other = create_task([&] {
      while (!stop) {
        yield();
        ++turns;
      }
    });
    for (int i = 0; i < 100'000; ++i) const std::lock_guard guard{mutex};
    EXPECT_LT(10, turns);
    stop = true;
    await(other);
    const ExpectNoSuspend check;
    const std::lock_guard guard{mutex};
  });
}

TEST_F(MutexTest, C15_ACancelledWaiterLeavesTheQueue) {
  run([] {
    Mutex mutex;
    mutex.lock();
    std::vector<int> order;
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 4; ++i) {
      tasks.push_back(create_task([&, i] {
        const std::lock_guard guard{mutex};
        order.push_back(i);
      }));
      settle();
    }
    tasks[0].cancel();
    tasks[2].cancel();
    EXPECT_EQ(2u, mutex.waiting_count()) << "at once, before they run";
    mutex.unlock();
    EXPECT_NO_THROW(await(tasks[1]));
    EXPECT_NO_THROW(await(tasks[3]));
    EXPECT_THROW(await(tasks[0]), TaskCancelledException);
    EXPECT_THROW(await(tasks[2]), TaskCancelledException);
    EXPECT_EQ((std::vector{1, 3}), order);
    EXPECT_FALSE(mutex.is_locked());
  });
}

TEST_F(MutexTest, C15_HandedOverBeforeTheCancelItIsTheTasks) {
  run([] {
    Mutex mutex;
    mutex.lock();
    bool owned = false;
    auto waiter = create_task([&] {
      const std::lock_guard guard{mutex};
      owned = mutex.owned_by_current_task();
      sleep(0s);
      ADD_FAILURE() << "the next suspending call throws";
    });
    settle();
    mutex.unlock();
    waiter.cancel();
    EXPECT_THROW(await(waiter), TaskCancelledException);
    EXPECT_TRUE(owned);
    EXPECT_FALSE(mutex.is_locked());
  });
}

}  // namespace
}  // namespace asyncio::test

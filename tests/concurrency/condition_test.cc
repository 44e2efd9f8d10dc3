// Conditions: waiting under a mutex, and notifications that reach exactly whom they should.
#include <memory>
#include <mutex>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class ConditionTest : public LoopTest {
 protected:
  void notify(std::size_t n) {
    const std::lock_guard guard{mutex};
    changed.notify(n);
  }
  /// A task that waits once and keeps its number.
  Task<void> waiter(int number) {
    auto task = create_task([this, number] {
      const std::lock_guard guard{mutex};
      changed.wait();
      EXPECT_TRUE(mutex.owned_by_current_task());
      order.push_back(number);
    });
    settle();
    return task;
  }

  Mutex mutex;
  Condition changed{mutex};
  std::vector<int> order;
};

TEST_F(ConditionTest, P15_WithoutTheLockEveryCallIsAnError) {
  EXPECT_THROW(changed.notify(), InvalidStateError);
  EXPECT_THROW(changed.wait(), NotInTaskError);
  run([&] {
    EXPECT_THROW(changed.wait(), InvalidStateError);
    EXPECT_THROW(changed.wait([] { return false; }), InvalidStateError);
    EXPECT_THROW(changed.wait_for(1s), InvalidStateError);
    EXPECT_THROW(changed.wait_for(1s, [] { return false; }), InvalidStateError);
    EXPECT_THROW(changed.notify(), InvalidStateError);
    EXPECT_THROW(changed.notify_all(), InvalidStateError);
    const std::lock_guard guard{mutex};
    await(create_task([&] {  // locked, but by another task
      EXPECT_THROW(changed.wait(), InvalidStateError);
      EXPECT_THROW(changed.notify(), InvalidStateError);
    }));
    EXPECT_EQ(0u, changed.waiting_count());
  });
}

TEST_F(ConditionTest, P15_WaitUnlocksAndLocksAgain) {
  run([&] {
    auto task = waiter(1);
    EXPECT_FALSE(mutex.is_locked());
    EXPECT_EQ(1u, changed.waiting_count());
    notify(1);
    await(task);
    EXPECT_FALSE(mutex.is_locked());
  });
}

TEST_F(ConditionTest, P15_WaitUnlocksAtomically) {
  run([&] {
    // A task that is next in line for the mutex notifies the very first moment it has it.
    mutex.lock();
    auto notifier = create_task([&] { notify(1); });
    settle();
    changed.wait();
    EXPECT_TRUE(mutex.owned_by_current_task());
    mutex.unlock();
    await(notifier);
  });
}

TEST_F(ConditionTest, P15_NotifyWakesTheOldest) {
  run([&] {
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 6; ++i) tasks.push_back(waiter(i));
    notify(0);
    settle();
    EXPECT_EQ(std::vector<int>{}, order);
    notify(1);
    settle();
    EXPECT_EQ((std::vector{0}), order);
    notify(3);
    settle();
    EXPECT_EQ((std::vector{0, 1, 2, 3}), order);
    EXPECT_EQ(2u, changed.waiting_count());
    notify(100);
    settle();
    EXPECT_EQ((std::vector{0, 1, 2, 3, 4, 5}), order);
  });
}

TEST_F(ConditionTest, P15_NotifyWithoutWaitersIsNotRemembered) {
  run([&] {
    notify(3);
    auto late = waiter(1);
    EXPECT_FALSE(late.is_done());
    EXPECT_EQ(1u, changed.waiting_count());
    notify(1);
    await(late);
  });
}

TEST_F(ConditionTest, P15_WaitWithAPredicateChecksItOwningTheMutex) {
  run([&] {
    int value = 0;
    int checks = 0;
    auto task = create_task([&] {
      const std::lock_guard guard{mutex};
      changed.wait([&] {
        ++checks;
        EXPECT_TRUE(mutex.owned_by_current_task());
        return value == 2;
      });
      EXPECT_EQ(2, value);
    });
    settle();
    for (value = 1; value != 2; ++value) {
      notify(1);
      settle();
      EXPECT_FALSE(task.is_done());
    }
    notify(1);
    await(task);
    EXPECT_EQ(3, checks);
    const std::lock_guard guard{mutex};
    const ExpectNoSuspend check;
    changed.wait([] { return true; });
  });
}

TEST_F(ConditionTest, P16_NotifyAllWakesNoHerd) {
  run([&] {
    constexpr int n = 1000;
    int woken = 0;
    std::vector<Task<void>> tasks;
    for (int i = 0; i < n; ++i) {
      tasks.push_back(create_task([&] {
        const std::lock_guard guard{mutex};
        const std::uint64_t before = current_task().stats().suspensions;
        changed.wait();
        EXPECT_EQ(before + 1, current_task().stats().suspensions) << "woken only to own the mutex";
        ++woken;
      }));
    }
    settle();
    ASSERT_EQ(std::size_t{n}, changed.waiting_count());
    mutex.lock();
    changed.notify_all();
    EXPECT_EQ(0u, changed.waiting_count());
    EXPECT_EQ(std::size_t{n}, mutex.waiting_count()) << "in line for the mutex";
    EXPECT_EQ(0u, get_event_loop().statistics().ready);
    settle();
    EXPECT_EQ(0, woken);
    mutex.unlock();
    EXPECT_EQ(1u, get_event_loop().statistics().ready) << "one unlock wakes one";
    settle();
    EXPECT_EQ(n, woken);
    for (const auto& task : tasks) await(task);
  });
}

TEST_F(ConditionTest, P17_TimedOutAtTheSameTurnAsNotifyThePredicateDecides) {
  run([&] {
    bool ready = false;
    auto task = create_task([&] {
      const std::lock_guard guard{mutex};
      return changed.wait_for(10ms, [&] { return ready; });
    });
    settle();
    mutex.lock();
    clock.advance(20ms);
    ready = true;
    changed.notify();
    mutex.unlock();
    EXPECT_TRUE(await(task));
  });
}

TEST_F(ConditionTest, P17_WithoutAPredicateTheWaitTellsWhetherItWasNotified) {
  run([&] {
    auto task = create_task([&] {
      const std::lock_guard guard{mutex};
      const bool notified = changed.wait_for(10ms);
      EXPECT_TRUE(mutex.owned_by_current_task());
      return notified;
    });
    settle();
    EXPECT_EQ(1u, changed.waiting_count());
    EXPECT_FALSE(mutex.is_locked());
    notify(1);
    EXPECT_TRUE(await(task));
    EXPECT_EQ(0ms, elapsed());

    const std::lock_guard guard{mutex};
    EXPECT_FALSE(changed.wait_for(10ms));
    EXPECT_TRUE(mutex.owned_by_current_task());
    EXPECT_EQ(10ms, elapsed());
    EXPECT_FALSE(changed.wait_for(0)) << "no time at all is a look at what is there";
    EXPECT_EQ(0u, changed.waiting_count());
  });
}

TEST_F(ConditionTest, P17_TimedOutThePredicateIsAskedOnceMore) {
  run([&] {
    bool ready = false;
    const auto wait = [&] {
      const std::lock_guard guard{mutex};
      const bool result = changed.wait_for(10ms, [&] { return ready; });
      EXPECT_TRUE(mutex.owned_by_current_task());
      return result;
    };
    EXPECT_FALSE(wait());
    EXPECT_EQ(10ms, elapsed());
    EXPECT_EQ(0u, changed.waiting_count());
    auto task = create_task(wait);
    settle();
    ready = true;  // and nobody notifies
    EXPECT_TRUE(await(task));
    EXPECT_EQ(20ms, elapsed());
    EXPECT_FALSE(mutex.is_locked());
  });
}

TEST_F(ConditionTest, P17_ANotificationThatMeetsATimeoutGoesToAnother) {
  run([&] {
    auto timed = create_task([&] {
      const std::lock_guard guard{mutex};
      return changed.wait_for(10ms, [] { return false; });
    });
    settle();
    auto other = waiter(2);
    mutex.lock();
    changed.notify();  // to `timed`, which now waits for the mutex
    sleep(1s);         // and whose time runs out there
    mutex.unlock();
    EXPECT_FALSE(await(timed));
    settle();
    EXPECT_TRUE(other.is_done());
    EXPECT_EQ(0u, changed.waiting_count());
    EXPECT_EQ(0u, mutex.waiting_count());
  });
}

TEST_F(ConditionTest, C19_CancelledItOwnsTheMutexAgainBeforeTheUnwind) {
  run([&] {
    bool owned = false;
    auto task = create_task([&] {
      mutex.lock();
      struct Check {
        Mutex& mutex;
        bool& owned;
        ~Check() {
          owned = mutex.owned_by_current_task();
          mutex.unlock();
        }
      } check{mutex, owned};
      changed.wait();
      ADD_FAILURE() << "nobody notified";
    });
    settle();
    mutex.lock();
    task.cancel();
    settle();
    EXPECT_EQ(0u, changed.waiting_count());
    EXPECT_FALSE(task.is_done()) << "the mutex is taken: the unwind waits for it";
    task.cancel();
    settle();
    EXPECT_FALSE(task.is_done());
    mutex.unlock();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_TRUE(owned);
    EXPECT_FALSE(mutex.is_locked());
  });
}

TEST_F(ConditionTest, C19_AConsumedNotificationGoesToAnother) {
  run([&] {
    auto first = waiter(1);
    auto second = waiter(2);
    auto third = waiter(3);
    mutex.lock();
    changed.notify();
    first.cancel();  // notified, but it does not own the mutex yet
    mutex.unlock();
    EXPECT_THROW(await(first), TaskCancelledException);
    settle();
    EXPECT_EQ((std::vector{2}), order);
    EXPECT_EQ(1u, changed.waiting_count()) << "one notification, one waiter";
    EXPECT_EQ(0u, mutex.waiting_count());
    notify(1);
    await(third);
    await(second);
  });
}

TEST_F(ConditionTest, C19_CancelledBeforeAnyNotificationItConsumesNone) {
  run([&] {
    auto first = waiter(1);
    auto second = waiter(2);
    first.cancel();
    notify(1);
    await(second);
    EXPECT_THROW(await(first), TaskCancelledException);
    EXPECT_EQ((std::vector{2}), order);
  });
}

TEST_F(ConditionTest, C19_WithTheMutexInHandTheWaitReturns) {
  run([&] {
    bool returned = false;
    auto task = create_task([&] {
      const std::lock_guard guard{mutex};
      changed.wait();
      returned = true;
      sleep(0s);
      ADD_FAILURE() << "the next suspending call throws";
    });
    settle();
    notify(1);
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_TRUE(returned);
    EXPECT_FALSE(mutex.is_locked());
  });
}

TEST_F(ConditionTest, P11_AnOwnerThatEndsBreaksTheWaitOfTheNotified) {
  run([&] {
    auto notified = create_task([&] {
      mutex.lock();
      changed.wait();
      ADD_FAILURE() << "the mutex is broken";
    });
    settle();
    await(create_task([&] {
      mutex.lock();
      changed.notify();
    }));
    EXPECT_THROW(await(notified), InvalidStateError);
  });
}

TEST_F(ConditionTest, P11_AnOwnerThatEndsBreaksTheWaitThatHasJustTimedOut) {
  run([&] {
    Event time_is_up;
    call_later(1s, [&] { time_is_up.set(); });  // before the time of the sleeper is
    mutex.lock();
    auto owner = create_task([&] {
      mutex.lock();
      time_is_up.wait();
    });
    EXPECT_THROW(changed.wait_for(1s, [] { return false; }), InvalidStateError);
    EXPECT_FALSE(mutex.owned_by_current_task());
    await(owner);
  });
}

TEST_F(ConditionTest, P13_DestroyedWithWaitersTheyGetClosedErrorOwningTheMutex) {
  run([&] {
    auto condition = std::make_unique<Condition>(mutex);
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 3; ++i) {
      tasks.push_back(create_task([&] {
        const std::lock_guard guard{mutex};
        EXPECT_THROW(condition->wait(), ClosedError);
        EXPECT_TRUE(mutex.owned_by_current_task());
      }));
    }
    settle();
    condition.reset();
    for (const auto& task : tasks) await(task);
    EXPECT_FALSE(mutex.is_locked());
  });
}

TEST_F(ConditionTest, P13_DestroyedWithNotifiedTasksTheyReturn) {
  run([&] {
    auto condition = std::make_unique<Condition>(mutex);
    const auto wait = [&] {
      const std::lock_guard guard{mutex};
      condition->wait();
    };
    auto first = create_task(wait);
    settle();
    auto second = create_task(wait);
    settle();
    mutex.lock();
    condition->notify_all();
    condition.reset();
    first.cancel();
    mutex.unlock();
    EXPECT_NO_THROW(await(second));
    EXPECT_THROW(await(first), TaskCancelledException);
  });
}

TEST_F(ConditionTest, P13_DestroyedWhileACancelledWaiterLinesUpForTheMutex) {
  run([&] {
    auto condition = std::make_unique<Condition>(mutex);
    auto task = create_task([&] {
      const std::lock_guard guard{mutex};
      condition->wait();
    });
    settle();
    mutex.lock();
    condition->notify();
    task.cancel();
    settle();
    condition.reset();
    mutex.unlock();
    EXPECT_THROW(await(task), TaskCancelledException);
  });
}

}  // namespace
}  // namespace asyncio::test

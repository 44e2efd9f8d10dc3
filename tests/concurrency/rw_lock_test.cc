// Read-write locks: who may be inside together, and who waits for whom.
#include <algorithm>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class RwLockTest : public LoopTest {};

TEST_F(RwLockTest, P25_ReadersShareAndAWriterIsAlone) {
  run([] {
    RwLock lock;
    int readers = 0;
    int writers = 0;
    int most_readers = 0;
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 40; ++i) {
      tasks.push_back(create_task([&, i] {
        if (i % 5 == 0) {
          const std::unique_lock guard{lock};
          EXPECT_EQ(0, readers);
          EXPECT_EQ(1, ++writers);
          yield();
          --writers;
        } else {
          const std::shared_lock guard{lock};
          most_readers = std::max(most_readers, ++readers);
          EXPECT_EQ(0, writers);
          yield();
          --readers;
        }
      }));
    }
    for (const auto& task : tasks) await(task);
    EXPECT_LT(1, most_readers);
    EXPECT_EQ(40u, lock.stats().acquired);
    EXPECT_EQ(0u, lock.reader_count());
    EXPECT_FALSE(lock.has_writer());
  });
}

TEST_F(RwLockTest, P25_AWaitingWriterStopsNewReaders) {
  run([] {
    RwLock lock;
    std::string order;
    lock.lock_shared();
    auto writer = create_task([&] {
      const std::unique_lock guard{lock};
      order += "writer ";
      yield();
    });
    settle();
    auto reader = create_task([&] {
      const std::shared_lock guard{lock};
      order += "reader";
    });
    settle();
    EXPECT_EQ(2u, lock.waiting_count());
    EXPECT_EQ(1u, lock.reader_count()) << "the late reader waits behind the writer";
    await(create_task([&] { EXPECT_FALSE(lock.try_lock_shared()); }));
    lock.unlock_shared();
    EXPECT_TRUE(lock.has_writer()) << "handed over, before the writer runs";
    await(reader);
    EXPECT_EQ("writer reader", order);
    EXPECT_TRUE(writer.is_done());
  });
}

TEST_F(RwLockTest, P25_ConsecutiveReadersEnterTogether) {
  run([] {
    RwLock lock;
    lock.lock();
    std::vector<Task<void>> tasks;
    for (const bool exclusive : {false, false, false, true, false}) {
      tasks.push_back(create_task([&lock, exclusive] {
        if (exclusive) {
          const std::unique_lock guard{lock};
          sleep(1s);
        } else {
          const std::shared_lock guard{lock};
          sleep(1s);
        }
      }));
      settle();
    }
    lock.unlock();
    EXPECT_EQ(3u, lock.reader_count()) << "as many as wait behind each other, and no more";
    EXPECT_EQ(2u, lock.waiting_count());
    await(tasks[2]);
    settle();
    EXPECT_TRUE(lock.has_writer());
    EXPECT_EQ(0u, lock.reader_count());
    await(tasks[3]);
    settle();
    EXPECT_EQ(1u, lock.reader_count());
    await(tasks[4]);
  });
}

TEST_F(RwLockTest, P25_ThereIsNoUpgrade) {
  run([] {
    RwLock lock;
    lock.lock_shared();
    EXPECT_THROW(lock.lock(), InvalidStateError);
    EXPECT_FALSE(lock.try_lock());
    EXPECT_THROW(lock.lock_shared(), InvalidStateError);
    EXPECT_EQ(1u, lock.reader_count());
    lock.unlock_shared();
    lock.lock();
    EXPECT_THROW(lock.lock_shared(), InvalidStateError);
    EXPECT_THROW(lock.lock(), InvalidStateError);
    EXPECT_FALSE(lock.try_lock_shared());
    EXPECT_EQ(0u, lock.waiting_count());
    lock.unlock();
  });
}

TEST_F(RwLockTest, P25_AWriterThatGivesUpLetsTheReadersBehindItIn) {
  run([] {
    RwLock lock;
    lock.lock_shared();
    auto writer = create_task([&] { lock.lock(); });
    settle();
    auto reader = create_task([&] { const std::shared_lock guard{lock}; });
    settle();
    writer.cancel();
    EXPECT_NO_THROW(await(reader));
    EXPECT_THROW(await(writer), TaskCancelledException);
    EXPECT_EQ(0u, lock.waiting_count());
    lock.unlock_shared();
    EXPECT_TRUE(lock.try_lock());
    lock.unlock();
  });
}

TEST_F(RwLockTest, P2_WritersEnterInOrderOfArrival) {
  run([] {
    RwLock lock;
    lock.lock();
    std::vector<int> order;
    std::vector<int> expected;
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 10; ++i) {
      tasks.push_back(create_task([&, i] {
        const std::unique_lock guard{lock};
        order.push_back(i);
        yield();
      }));
      settle();
      expected.push_back(i);
    }
    lock.unlock();
    await(create_task([&] { EXPECT_FALSE(lock.try_lock()); }));
    for (const auto& task : tasks) await(task);
    EXPECT_EQ(expected, order);
  });
}

TEST_F(RwLockTest, P5_OnlyWhoHoldsItUnlocks) {
  run([] {
    RwLock lock;
    EXPECT_THROW(lock.unlock(), InvalidStateError);
    EXPECT_THROW(lock.unlock_shared(), InvalidStateError);
    lock.lock_shared();
    EXPECT_THROW(lock.unlock(), InvalidStateError) << "held, but not so";
    await(create_task([&] { EXPECT_THROW(lock.unlock_shared(), InvalidStateError); }));
    EXPECT_EQ(1u, lock.reader_count());
    lock.unlock_shared();
    lock.lock();
    EXPECT_THROW(lock.unlock_shared(), InvalidStateError);
    await(create_task([&] { EXPECT_THROW(lock.unlock(), InvalidStateError); }));
    EXPECT_TRUE(lock.has_writer());
    lock.unlock();
  });
}

TEST_F(RwLockTest, P12_GuardsHandOverDuringUnwinding) {
  run([] {
    RwLock lock;
    auto writer = create_task([&] {
      const std::unique_lock guard{lock};
      sleep(1s);
      throw std::out_of_range("far");
    });
    settle();
    auto reader = create_task([&] {
      const std::shared_lock guard{lock};
      sleep(1h);
    });
    settle();
    auto last = create_task([&] { const std::unique_lock guard{lock}; });
    settle();
    EXPECT_THROW(await(writer), std::out_of_range);
    settle();
    EXPECT_EQ(1u, lock.reader_count());
    reader.cancel();
    EXPECT_NO_THROW(await(last));
  });
}

TEST_F(RwLockTest, P13_DestroyedWithWaitersTheyGetClosedError) {
  run([] {
    auto lock = std::make_unique<RwLock>();
    lock->lock();
    auto reader = create_task([&] { lock->lock_shared(); });
    auto writer = create_task([&] { lock->lock(); });
    settle();
    lock.reset();
    EXPECT_THROW(await(reader), ClosedError);
    EXPECT_THROW(await(writer), ClosedError);
  });
}

TEST_F(RwLockTest, P26_TimeoutAndHandOverInTheSameTurnIsAcquired) {
  run([this] {
    RwLock lock;
    lock.lock();
    auto writer = create_task([&] {
      timeout(10ms, [&] { lock.lock(); });
      lock.unlock();
    });
    settle();
    clock.advance(20ms);
    lock.unlock();
    EXPECT_NO_THROW(await(writer));
    EXPECT_FALSE(lock.has_writer());
  });
}

TEST_F(RwLockTest, P27_OutsideATaskThereIsNobodyToHoldIt) {
  RwLock lock;
  EXPECT_THROW(lock.lock(), NotInTaskError);
  EXPECT_THROW(lock.lock_shared(), NotInTaskError);
  EXPECT_THROW(lock.try_lock(), NotInTaskError);
  EXPECT_THROW(lock.try_lock_shared(), NotInTaskError);
  EXPECT_THROW(lock.unlock(), InvalidStateError);
  EXPECT_THROW(lock.unlock_shared(), InvalidStateError);
}

TEST_F(RwLockTest, P28_TheFastPathStarvesNobody) {
  run([] {
    RwLock lock;
    int turns = 0;
    bool stop = false;
    auto other = create_task([&] {
      while (!stop) {
        yield();
        ++turns;
      }
    });
    for (int i = 0; i < 100'000; ++i) const std::shared_lock guard{lock};
    EXPECT_LT(10, turns);
    stop = true;
    await(other);
  });
}

TEST_F(RwLockTest, C15_HandedOverBeforeTheCancelItIsTheTasks) {
  run([] {
    RwLock lock;
    lock.lock();
    bool inside = false;
    auto reader = create_task([&] {
      const std::shared_lock guard{lock};
      inside = true;
      sleep(0s);
      ADD_FAILURE() << "the next suspending call throws";
    });
    settle();
    lock.unlock();
    reader.cancel();
    EXPECT_THROW(await(reader), TaskCancelledException);
    EXPECT_TRUE(inside);
    EXPECT_EQ(0u, lock.reader_count());
  });
}

TEST_F(RwLockTest, P11_AHolderThatEndsBreaksIt) {
  run([] {
    for (const bool writer : {true, false}) {
      RwLock lock;
      auto holder = create_task([&] {
        if (writer) {
          lock.lock();
        } else {
          lock.lock_shared();
        }
        sleep(1s);
      });
      settle();
      auto waiter = create_task([&] { const std::unique_lock guard{lock}; });
      auto reader = create_task([&] {
        if (writer) const std::shared_lock guard{lock};
      });
      settle();
      await(holder);
      EXPECT_THROW(await(waiter), InvalidStateError);
      if (writer) {
        EXPECT_THROW(await(reader), InvalidStateError);
      }
      EXPECT_THROW(lock.lock_shared(), InvalidStateError) << "also for who comes later";
      EXPECT_THROW(lock.try_lock(), InvalidStateError);
      EXPECT_EQ(0u, lock.waiting_count());
      EXPECT_FALSE(lock.has_writer());
      EXPECT_EQ(0u, lock.reader_count());
    }
  });
}

TEST_F(RwLockTest, P11_OtherHoldersOfABrokenOneUnlockQuietly) {
  run([] {
    RwLock lock;
    auto survivor = create_task([&] {
      const std::shared_lock guard{lock};
      sleep(2s);
    });
    settle();
    auto dead = create_task([&] { lock.lock_shared(); });
    await(dead);
    await(survivor);
  });
}

}  // namespace
}  // namespace asyncio::test

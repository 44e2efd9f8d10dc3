// Queues: order, capacity, closing, and that no item is ever lost or doubled.
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class QueueTest : public LoopTest {};

// ---- Order and capacity -------------------------------------------------------------------------

TEST_F(QueueTest, P20_PutBlocksWhileTheQueueIsFull) {
  run([] {
    Queue<int> queue{2};
    EXPECT_EQ(2u, queue.capacity());
    {
      const ExpectNoSuspend check;
      queue.put(1);
      queue.put(2);
    }
    EXPECT_TRUE(queue.full());
    EXPECT_FALSE(queue.try_put(9));
    auto putter = create_task([&] { queue.put(3); });
    settle();
    EXPECT_FALSE(putter.is_done());
    EXPECT_EQ(1u, queue.stats().waiting_putters);
    EXPECT_EQ(1, queue.get());
    EXPECT_EQ(2u, queue.size()) << "the putter's item has taken the place";
    EXPECT_FALSE(queue.try_put(9));
    await(putter);
    EXPECT_EQ(2, queue.get());
    EXPECT_EQ(3, queue.get());
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(3u, queue.stats().put);
    EXPECT_EQ(3u, queue.stats().got);
  });
}

TEST_F(QueueTest, P20_PuttersAreServedInOrderOfArrival) {
  run([] {
    Queue<int> queue{1};
    queue.put(0);
    std::vector<Task<void>> putters;
    for (int i = 1; i < 10; ++i) {
      putters.push_back(create_task([&, i] { queue.put(i); }));
      settle();
    }
    for (int i = 0; i < 9; ++i) {
      EXPECT_EQ(i, queue.get());
      EXPECT_FALSE(queue.try_put(99)) << "overtook a putter";
    }
    settle();
    for (const auto& putter : putters) EXPECT_TRUE(putter.is_done());
    EXPECT_EQ(9, queue.get());
  });
}

TEST_F(QueueTest, P20_GettersAreServedInOrderOfArrival) {
  run([] {
    Queue<int> queue;
    std::vector<Task<int>> getters;
    for (int i = 0; i < 10; ++i) {
      getters.push_back(create_task([&] { return queue.get(); }));
      settle();
    }
    EXPECT_EQ(10u, queue.stats().waiting_getters);
    for (int i = 0; i < 10; ++i) queue.put(i);
    EXPECT_EQ(0u, queue.size()) << "each item went to a getter directly";
    EXPECT_EQ(std::nullopt, queue.try_get());
    for (int i = 0; i < 10; ++i) EXPECT_EQ(i, await(getters[static_cast<std::size_t>(i)]));
  });
}

TEST_F(QueueTest, P20_CapacityZeroIsARendezvous) {
  run([] {
    Queue<int> queue{0};
    EXPECT_TRUE(queue.empty());
    EXPECT_TRUE(queue.full());
    EXPECT_FALSE(queue.try_put(1));
    EXPECT_EQ(std::nullopt, queue.try_get());
    auto putter = create_task([&] { queue.put(2); });
    settle();
    EXPECT_FALSE(putter.is_done()) << "put waits for a getter";
    EXPECT_EQ(2, queue.get());
    await(putter);
    auto getter = create_task([&] { return queue.get(); });
    settle();
    EXPECT_TRUE(queue.try_put(3)) << "a getter waits";
    EXPECT_EQ(0u, queue.size());
    EXPECT_EQ(3, await(getter));
  });
}

TEST_F(QueueTest, P20_WithoutACapacityPutNeverBlocks) {
  run([] {
    Queue<int> queue;
    for (int i = 0; i < 10'000; ++i) EXPECT_TRUE(queue.try_put(i));
    EXPECT_FALSE(queue.full());
    EXPECT_EQ(10'000u, queue.size());
    for (int i = 0; i < 10'000; ++i) EXPECT_EQ(i, queue.get());
  });
}

TEST_F(QueueTest, P20_MoveOnlyItems) {
  run([] {
    Queue<std::unique_ptr<int>> queue{1};
    queue.put(std::make_unique<int>(1));
    auto putter = create_task([&] { queue.put(std::make_unique<int>(2)); });
    settle();
    EXPECT_EQ(1, *queue.get());
    EXPECT_EQ(2, *queue.get());
    auto getter = create_task([&] { return queue.get(); });
    settle();
    queue.put(std::make_unique<int>(3));
    EXPECT_EQ(3, *await(std::move(getter)));
  });
}

TEST_F(QueueTest, P20_EveryItemArrivesOnce) {
  run([] {
    for (const std::size_t capacity : {0u, 1u, 3u}) {
      Queue<int> queue{capacity};
      std::multiset<int> got;
      std::vector<Task<void>> putters;
      for (int i = 0; i < 5; ++i) {
        putters.push_back(create_task([&, i] {
          for (int n = 0; n < 40; ++n) {
            queue.put(i * 100 + n);
            if (n % (i + 2) == 0) yield();
          }
        }));
      }
      std::vector<Task<void>> getters;
      for (int i = 0; i < 3; ++i) {
        getters.push_back(create_task([&] {
          std::vector<int> last(5, -1);
          try {
            for (;;) {
              const int item = queue.get();
              int& previous = last[static_cast<std::size_t>(item / 100)];
              EXPECT_LT(previous, item % 100) << "one putter's items stay in order";
              previous = item % 100;
              got.insert(item);
            }
          } catch (const ClosedError&) {
          }
        }));
      }
      for (const auto& putter : putters) await(putter);
      queue.close();
      for (const auto& getter : getters) await(getter);
      EXPECT_EQ(200u, got.size());
      EXPECT_EQ(200u, (std::set<int>{got.begin(), got.end()}.size()));
    }
  });
}

// ---- Closing ------------------------------------------------------------------------------------

TEST_F(QueueTest, P21_ClosedGettersDrainWhatIsLeft) {
  run([] {
    Queue<int> queue;
    queue.put(1);
    queue.put(2);
    EXPECT_FALSE(queue.is_closed());
    queue.close();
    EXPECT_TRUE(queue.is_closed());
    EXPECT_THROW(queue.put(3), ClosedError);
    EXPECT_THROW(queue.try_put(3), ClosedError);
    EXPECT_EQ(1, queue.get());
    EXPECT_EQ(2, queue.try_get());
    EXPECT_THROW(queue.get(), ClosedError);
    EXPECT_EQ(std::nullopt, queue.try_get());
  });
}

TEST_F(QueueTest, P21_BlockedPuttersFailAtOnceAndKeepTheirItems) {
  run([] {
    Queue<std::string> queue{1};
    queue.put("first");
    std::string item = "second";
    auto putter = create_task([&] { EXPECT_THROW(queue.put(std::move(item)), ClosedError); });
    settle();
    queue.close();
    EXPECT_EQ(0u, queue.stats().waiting_putters);
    await(putter);
    EXPECT_EQ("second", item);
    EXPECT_EQ("first", queue.get());
    EXPECT_THROW(queue.get(), ClosedError);
    EXPECT_EQ(1u, queue.stats().put);
  });
}

TEST_F(QueueTest, P21_BlockedGettersFailAtOnce) {
  run([] {
    Queue<int> queue;
    auto first = create_task([&] { return queue.get(); });
    auto second = create_task([&] { return queue.get(); });
    settle();
    queue.close();
    EXPECT_EQ(0u, queue.stats().waiting_getters);
    EXPECT_THROW(await(first), ClosedError);
    EXPECT_THROW(await(second), ClosedError);
  });
}

TEST_F(QueueTest, P21_AnItemHandedOverBeforeTheCloseIsDelivered) {
  run([] {
    Queue<int> queue;
    auto getter = create_task([&] { return queue.get(); });
    settle();
    queue.put(1);
    queue.close();
    EXPECT_EQ(1, await(getter));
  });
}

TEST_F(QueueTest, P21_ClosingTwiceIsOnce) {
  run([] {
    Queue<int> queue;
    queue.put(1);
    queue.close();
    queue.close();
    EXPECT_EQ(1, queue.get());
    queue.close_now();
    EXPECT_TRUE(queue.is_closed());
    EXPECT_THROW(queue.get(), ClosedError);
  });
}

TEST_F(QueueTest, P22_AnEndThatGoesEndsTheOther) {
  run([] {
    Queue<int> queue{1};
    std::vector<int> got;
    auto receiver = create_task([&] {
      try {
        for (;;) got.push_back(queue.get());
      } catch (const ClosedError&) {
        got.push_back(-1);
      }
    });
    for (int i = 0; i < 3; ++i) queue.put(i);
    queue.close();  // the sender is through: the receiver gets the rest, then the end
    await(receiver);
    EXPECT_EQ((std::vector<int>{0, 1, 2, -1}), got);

    Queue<int> unwanted{1};
    unwanted.put(0);
    auto sender = create_task([&] { EXPECT_THROW(unwanted.put(1), ClosedError); });
    settle();
    unwanted.close_now();  // the receiver is through: a sender that waits is told
    await(sender);
    EXPECT_THROW(unwanted.put(2), ClosedError);
  });
}

// ---- Work that is counted -----------------------------------------------------------------------

TEST_F(QueueTest, P23_JoinWaitsForEveryItem) {
  run([] {
    Queue<int> queue;
    {
      const ExpectNoSuspend check;
      queue.join();
    }
    queue.put(1);
    queue.put(2);
    auto joiner = create_task([&] { queue.join(); });
    settle();
    queue.get();
    queue.get();
    settle();
    EXPECT_FALSE(joiner.is_done()) << "got is not dealt with";
    queue.task_done();
    settle();
    EXPECT_FALSE(joiner.is_done());
    queue.task_done();
    await(joiner);
  });
}

TEST_F(QueueTest, P23_JoinCountsItemsHandedOverDirectly) {
  run([] {
    Queue<int> queue{0};
    auto getter = create_task([&] { return queue.get(); });
    settle();
    queue.put(1);
    auto putter = create_task([&] { queue.put(2); });
    settle();
    queue.get();
    await(putter);
    await(getter);
    auto joiner = create_task([&] { queue.join(); });
    settle();
    queue.task_done();
    settle();
    EXPECT_FALSE(joiner.is_done());
    queue.task_done();
    await(joiner);
  });
}

TEST_F(QueueTest, P23_TaskDoneTooOftenIsAnError) {
  run([] {
    Queue<int> queue;
    EXPECT_THROW(queue.task_done(), InvalidStateError);
    queue.put(1);
    queue.get();
    queue.task_done();
    EXPECT_THROW(queue.task_done(), InvalidStateError);
  });
}

TEST_F(QueueTest, P23_CloseNowDropsItemsAndReleasesJoiners) {
  run([] {
    Queue<std::shared_ptr<int>> queue{2};
    const auto item = std::make_shared<int>(1);
    queue.put(item);
    queue.put(item);
    auto putter = create_task([&] { queue.put(item); });
    auto joiner = create_task([&] { queue.join(); });
    settle();
    EXPECT_FALSE(joiner.is_done());
    queue.close_now();
    EXPECT_TRUE(queue.empty());
    EXPECT_NO_THROW(await(joiner));
    EXPECT_THROW(await(putter), ClosedError);
    EXPECT_EQ(1, item.use_count()) << "every copy is gone";
    EXPECT_THROW(queue.get(), ClosedError);
    EXPECT_THROW(queue.put(item), ClosedError);
    EXPECT_THROW(queue.task_done(), InvalidStateError);
  });
}

TEST_F(QueueTest, P23_CloseNowLeavesWorkInProgressToItsWorker) {
  run([] {
    Queue<int> queue;
    for (int i = 0; i < 3; ++i) queue.put(i);
    auto worker = create_task([&] {
      queue.get();
      sleep(1s);
      queue.task_done();
    });
    settle();
    queue.close_now();
    auto joiner = create_task([&] { queue.join(); });
    settle();
    EXPECT_FALSE(joiner.is_done()) << "one item is being worked on";
    await(worker);
    await(joiner);
  });
}

// ---- Cancelling ---------------------------------------------------------------------------------

TEST_F(QueueTest, C17_AnItemHandedOverBeforeTheCancelIsDelivered) {
  run([] {
    Queue<int> queue;
    int got = 0;
    auto getter = create_task([&] {
      got = queue.get();
      queue.get();
      ADD_FAILURE() << "the next suspending call throws";
    });
    settle();
    queue.put(7);
    queue.put(8);
    getter.cancel();
    EXPECT_THROW(await(getter), TaskCancelledException);
    EXPECT_EQ(7, got);
    EXPECT_EQ(8, queue.get()) << "and nothing was taken on the way out";
    EXPECT_TRUE(queue.empty());
  });
}

TEST_F(QueueTest, C17_CancelledBeforeThePutTheItemGoesElsewhere) {
  run([] {
    Queue<int> queue;
    auto first = create_task([&] { return queue.get(); });
    settle();
    auto second = create_task([&] { return queue.get(); });
    settle();
    first.cancel();
    queue.put(7);
    EXPECT_EQ(7, await(second));
    EXPECT_THROW(await(first), TaskCancelledException);
    EXPECT_TRUE(queue.empty());
  });
}

TEST_F(QueueTest, C18_ACancelledPutKeepsTheItemAndBlocksNobody) {
  run([] {
    Queue<std::string> queue{1};
    queue.put("first");
    std::string item = "second";
    auto cancelled = create_task([&] { queue.put(std::move(item)); });
    settle();
    auto later = create_task([&] { queue.put("third"); });
    settle();
    cancelled.cancel();
    EXPECT_EQ(1u, queue.stats().waiting_putters);
    EXPECT_THROW(await(cancelled), TaskCancelledException);
    EXPECT_EQ("second", item);
    EXPECT_EQ("first", queue.get());
    EXPECT_EQ("third", queue.get());
    await(later);
    EXPECT_TRUE(queue.empty());
    EXPECT_EQ(2u, queue.stats().put);
  });
}

TEST_F(QueueTest, C18_AnItemTakenBeforeTheCancelHasBeenPut) {
  run([] {
    Queue<std::string> queue{0};
    bool put = false;
    auto putter = create_task([&] {
      queue.put("item");
      put = true;
      sleep(0s);
      ADD_FAILURE() << "the next suspending call throws";
    });
    settle();
    EXPECT_EQ("item", queue.get());
    putter.cancel();
    EXPECT_THROW(await(putter), TaskCancelledException);
    EXPECT_TRUE(put);
    EXPECT_EQ(std::nullopt, queue.try_get());
  });
}

TEST_F(QueueTest, P24_OneCancelledGetterAmongMany) {
  run([] {
    Queue<int> queue;
    std::vector<Task<int>> getters;
    for (int i = 0; i < 6; ++i) {
      getters.push_back(create_task([&] { return queue.get(); }));
      settle();
    }
    for (const std::size_t i : {0u, 3u, 5u}) getters[i].cancel();
    EXPECT_EQ(3u, queue.stats().waiting_getters) << "cancelled ones are not kept";
    for (int i = 0; i < 4; ++i) queue.put(i);
    EXPECT_EQ(0, await(getters[1]));
    EXPECT_EQ(1, await(getters[2]));
    EXPECT_EQ(2, await(getters[4]));
    EXPECT_EQ(3, queue.get());
    for (const std::size_t i : {0u, 3u, 5u})
      EXPECT_THROW(await(getters[i]), TaskCancelledException);
  });
}

TEST_F(QueueTest, P24_ManyCancelledWaitersLeaveNothingBehind) {
  run([] {
    Queue<int> queue{1};
    for (int i = 0; i < 100; ++i) {
      EXPECT_THROW(timeout(1ms, [&] { queue.get(); }), TimeoutException);
    }
    EXPECT_EQ(0u, queue.stats().waiting_getters);
    queue.put(1);
    for (int i = 0; i < 100; ++i) {
      EXPECT_THROW(timeout(1ms, [&] { queue.put(2); }), TimeoutException);
    }
    EXPECT_EQ(0u, queue.stats().waiting_putters);
    EXPECT_EQ(1, queue.get());
    EXPECT_EQ(std::nullopt, queue.try_get());
  });
}

// ---- The rest -----------------------------------------------------------------------------------

TEST_F(QueueTest, P29_NobodyStealsItsOwnItemWhileOthersWait) {
  run([] {
    Queue<int> queue{1};
    auto waiting = create_task([&] { return queue.get(); });
    settle();
    queue.put(1);
    EXPECT_EQ(std::nullopt, queue.try_get()) << "it is the waiting getter's";
    EXPECT_EQ(1, await(waiting));

    // Two tasks that put and get by turns: each gets what the other has put.
    Queue<int> shared{1};
    std::vector<int> got[2];
    const auto player = [&](int me) {
      for (int n = 0; n < 20; ++n) {
        shared.put(me);
        got[me].push_back(shared.get());
      }
    };
    auto first = create_task([&] { player(0); });
    auto second = create_task([&] { player(1); });
    await(first);
    await(second);
    EXPECT_EQ(20u, got[0].size());
    EXPECT_EQ(20u, got[1].size());
    EXPECT_TRUE(shared.empty());
  });
}

TEST_F(QueueTest, P6_CallbacksMayPutAndGet) {
  run([] {
    Queue<int> queue{1};
    call_soon([&] { EXPECT_TRUE(queue.try_put(1)); });
    EXPECT_EQ(1, queue.get());
    queue.put(2);
    std::optional<int> got;
    call_soon([&] { got = queue.try_get(); });
    queue.put(3);
    EXPECT_EQ(2, got);
    EXPECT_EQ(3, queue.get());
  });
}

TEST_F(QueueTest, P13_DestroyedWithWaitersTheyGetClosedError) {
  run([] {
    auto queue = std::make_unique<Queue<std::string>>(1);
    auto getter = create_task([&] { queue->get(); });
    settle();
    queue.reset();
    EXPECT_THROW(await(getter), ClosedError);

    queue = std::make_unique<Queue<std::string>>(1);
    queue->put("first");
    std::string item = "second";
    auto putter = create_task([&] { queue->put(std::move(item)); });
    auto joiner = create_task([&] { queue->join(); });
    settle();
    queue.reset();
    EXPECT_THROW(await(putter), ClosedError);
    EXPECT_THROW(await(joiner), ClosedError);
    EXPECT_EQ("second", item);
  });
}

TEST_F(QueueTest, P26_TimeoutAndHandOverInTheSameTurnIsDelivered) {
  run([this] {
    Queue<int> queue;
    auto getter = create_task([&] { return timeout(10ms, [&] { return queue.get(); }); });
    settle();
    clock.advance(20ms);
    queue.put(1);
    EXPECT_EQ(1, await(getter));
    EXPECT_TRUE(queue.empty());
  });
}

// ---- Items whose destructors come back ----------------------------------------------------------

/// An item that does something when it is destroyed, unless it has been moved from.
class Parting {
 public:
  explicit Parting(std::function<void()> action) : action_(std::move(action)) {}
  Parting(Parting&& other) noexcept : action_(std::exchange(other.action_, nullptr)) {}
  Parting& operator=(Parting&&) = delete;
  ~Parting() {
    if (action_) std::exchange(action_, nullptr)();
  }

 private:
  std::function<void()> action_;
};

TEST_F(QueueTest, P23_ADroppedItemFindsTheQueueClosedAndEmpty) {
  run([] {
    Queue<Parting> queue;
    int dropped = 0;
    for (int i = 0; i < 5; ++i) {
      queue.put(Parting{[&] {
        ++dropped;
        EXPECT_TRUE(queue.is_closed());
        EXPECT_EQ(0u, queue.size());
        EXPECT_FALSE(queue.try_get().has_value());
        EXPECT_THROW(queue.try_put(Parting{nullptr}), ClosedError);
        queue.close_now();
      }});
    }
    queue.close_now();
    EXPECT_EQ(5, dropped);
    queue.join();  // what was dropped is dealt with
    EXPECT_THROW(queue.task_done(), InvalidStateError);
  });
}

TEST_F(QueueTest, P23_TheLastDroppedItemMayBeWhatKeepsTheQueue) {
  run([] {
    auto queue = std::make_shared<Queue<Parting>>();
    Queue<Parting>& face = *queue;
    const std::weak_ptr<Queue<Parting>> watch = queue;
    queue->put(Parting{[] {}});
    queue->put(Parting{[kept = std::move(queue)]() mutable { kept.reset(); }});
    face.close_now();
    EXPECT_TRUE(watch.expired());
  });
}

TEST_F(QueueTest, ItemsThatGoWithTheQueueMayStillCallIt) {
  run([] {
    int gone = 0;
    {
      Queue<Parting> queue;
      for (int i = 0; i < 5; ++i) {
        queue.put(Parting{[&] {
          ++gone;
          if (gone == 1) queue.put(Parting{[&] { ++gone; }});
          if (gone == 2) queue.try_get();
        }});
      }
    }
    EXPECT_EQ(6, gone);
  });
}

TEST_F(QueueTest, P27_OutsideATaskOnlyWaitingIsAnError) {
  Queue<int> queue{1};
  EXPECT_THROW(queue.get(), NotInTaskError);
  queue.put(1);
  EXPECT_THROW(queue.put(2), NotInTaskError);
  EXPECT_FALSE(queue.try_put(2));
  EXPECT_THROW(queue.join(), NotInTaskError);
  EXPECT_EQ(1, queue.get());
  EXPECT_EQ(0u, queue.stats().waiting_getters);
  EXPECT_EQ(0u, queue.stats().waiting_putters);
}

TEST_F(QueueTest, P28_TheFastPathStarvesNobody) {
  run([] {
    Queue<int> queue{1};
    int turns = 0;
    bool stop = false;
    auto other = create_task([&] {
      while (!stop) {
        yield();
        ++turns;
      }
    });
    for (int i = 0; i < 50'000; ++i) {
      queue.put(i);
      EXPECT_EQ(i, queue.get());
    }
    EXPECT_LT(10, turns);
    stop = true;
    await(other);
  });
}

}  // namespace
}  // namespace asyncio::test

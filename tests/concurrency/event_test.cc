// Events: a flag, and who it wakes.
#include <memory>
#include <thread>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class EventTest : public LoopTest {};

TEST_F(EventTest, P14_WaitOnASetEventReturnsAtOnce) {
  run([] {
    Event event;
    EXPECT_FALSE(event.is_set());
    event.set();
    event.set();
    EXPECT_TRUE(event.is_set());
    const ExpectNoSuspend check;
    event.wait();
    event.wait();
  });
}

TEST_F(EventTest, P14_WaitOnASetEventIsACheckpointAllTheSame) {
  run([] {
    Event event;
    event.set();
    auto task = create_task([&] {
      current_task().cancel();
      event.wait();
      ADD_FAILURE() << "waited";
    });
    EXPECT_THROW(await(task), TaskCancelledException);
  });
}

TEST_F(EventTest, P14_SetWakesAllPresentEvenIfClearedBeforeTheyRun) {
  run([] {
    Event event;
    int woken = 0;
    for (int i = 0; i < 5; ++i) {
      create_task([&] {
        event.wait();
        ++woken;
      });
    }
    settle();
    EXPECT_EQ(5u, event.waiting_count());
    event.set();
    event.clear();
    EXPECT_EQ(0, woken) << "nobody runs inside set()";
    settle();
    EXPECT_EQ(5, woken);
    EXPECT_EQ(0u, event.waiting_count());
  });
}

TEST_F(EventTest, P14_WaitAfterClearBlocks) {
  run([] {
    Event event;
    event.set();
    event.clear();
    auto late = create_task([&] { event.wait(); });
    settle();
    EXPECT_FALSE(late.is_done());
    EXPECT_EQ(1u, event.waiting_count());
    event.set();
    await(late);
  });
}

TEST_F(EventTest, P6_ACallbackMaySetItAndAnotherThreadMayNot) {
  run([] {
    Event event;
    auto waiter = create_task([&] { event.wait(); });
    settle();
    std::thread{[&] { EXPECT_THROW(event.set(), InvalidStateError); }}.join();
    EXPECT_FALSE(event.is_set());
    EXPECT_EQ(1u, event.waiting_count());
    call_soon([&] { event.set(); });
    await(waiter);
    event.clear();
    const LoopHandle handle = get_event_loop().handle();
    std::thread poster{[&] { handle.call_soon_threadsafe([&] { event.set(); }); }};
    event.wait();
    EXPECT_TRUE(event.is_set());
    poster.join();
  });
}

TEST_F(EventTest, P13_DestroyedWithWaitersTheyGetClosedError) {
  run([] {
    auto event = std::make_unique<Event>();
    auto first = create_task([&] { event->wait(); });
    auto second = create_task([&] { event->wait(); });
    settle();
    event.reset();
    EXPECT_THROW(await(first), ClosedError);
    EXPECT_THROW(await(second), ClosedError);
  });
}

TEST_F(EventTest, P26_TimeoutAndSetInTheSameTurnIsSet) {
  run([this] {
    Event event;
    auto waiter = create_task([&] { timeout(10ms, [&] { event.wait(); }); });
    settle();
    clock.advance(20ms);
    event.set();
    EXPECT_NO_THROW(await(waiter));
    event.clear();
    EXPECT_THROW(timeout(10ms, [&] { event.wait(); }), TimeoutException);
    EXPECT_EQ(0u, event.waiting_count());
  });
}

TEST_F(EventTest, P27_OutsideATaskSetWorksAndWaitIsAnError) {
  Event event;
  EXPECT_THROW(event.wait(), NotInTaskError);
  event.set();
  EXPECT_TRUE(event.is_set());
  run([&] { event.wait(); });
}

TEST_F(EventTest, P28_TheFastPathStarvesNobody) {
  run([] {
    Event event;
    event.set();
    int turns = 0;
    bool stop = false;
    auto other = create_task([&] {
      while (!stop) {
        yield();
        ++turns;
      }
    });
    for (int i = 0; i < 100'000; ++i) event.wait();
    EXPECT_LT(10, turns);
    stop = true;
    await(other);
  });
}

TEST_F(EventTest, C15_ACancelledWaiterLeavesAndTheOthersAreWoken) {
  run([] {
    Event event;
    auto gone = create_task([&] { event.wait(); });
    auto stays = create_task([&] { event.wait(); });
    settle();
    gone.cancel();
    EXPECT_EQ(1u, event.waiting_count());
    event.set();
    EXPECT_NO_THROW(await(stays));
    EXPECT_THROW(await(gone), TaskCancelledException);
  });
}

}  // namespace
}  // namespace asyncio::test

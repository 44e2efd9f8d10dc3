// What a primitive has to show: nobody is forgotten, nothing is lost, and a wait ends once.
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <asyncio/asyncio.h>
#include <asyncio/core/test_clock.h>

#include "broadcast.h"

namespace third_party {
namespace {

using namespace std::chrono_literals;

using Numbers = Broadcast<int>;

/// Runs `body` as the main task, in virtual time.
template <class F>
void run(F&& body) {
  asyncio::TestClock clock;
  asyncio::RunOptions options;
  options.clock = &clock;
  asyncio::run(body, options);
}

/// Lets every task that is ready run until it waits.
void settle() { asyncio::sleep(1ns); }

TEST(BroadcastTest, EverySubscriptionReceivesWhatIsSentAfterIt) {
  run([] {
    Numbers numbers{4};
    Numbers::Subscription early{numbers};
    numbers.send(1);
    Numbers::Subscription late{numbers};
    numbers.send(2);
    EXPECT_EQ(1, early.receive());
    EXPECT_EQ(2, early.receive());
    EXPECT_EQ(2, late.receive());
    EXPECT_EQ(std::nullopt, late.receive_until(asyncio::get_event_loop().now()));
  });
}

TEST(BroadcastTest, OneThatFallsBehindMissesTheOldestAndHoldsUpNobody) {
  run([] {
    Numbers numbers{2};
    Numbers::Subscription slow{numbers};
    Numbers::Subscription fast{numbers};
    for (int i = 1; i <= 5; ++i) {
      numbers.send(i);
      EXPECT_EQ(i, fast.receive());
    }
    EXPECT_EQ(0u, fast.missed());
    EXPECT_EQ(3u, slow.missed());
    EXPECT_EQ(4, slow.receive());
    EXPECT_EQ(5, slow.receive());
  });
}

TEST(BroadcastTest, TasksThatShareASubscriptionAreServedInOrder) {
  run([] {
    Numbers numbers{4};
    Numbers::Subscription shared{numbers};
    std::string order;
    auto first =
        asyncio::create_task([&] { order += "first:" + std::to_string(shared.receive()); });
    settle();
    auto second =
        asyncio::create_task([&] { order += " second:" + std::to_string(shared.receive()); });
    settle();
    numbers.send(1);
    numbers.send(2);
    numbers.send(3);
    EXPECT_EQ(3, shared.receive()) << "what was handed over cannot be taken from who waited for it";
    asyncio::await(first);
    asyncio::await(second);
    EXPECT_EQ("first:1 second:2", order);
  });
}

TEST(BroadcastTest, C15_ACancelledReceiverLeavesNothingBehind) {
  run([] {
    Numbers numbers{4};
    Numbers::Subscription shared{numbers};
    auto gone = asyncio::create_task([&] { shared.receive(); });
    auto stays = asyncio::create_task([&] { return shared.receive(); });
    settle();
    gone.cancel();
    numbers.send(7);  // the cancel came first, so this is not for `gone`
    EXPECT_EQ(7, asyncio::await(stays));
    EXPECT_EQ(asyncio::TaskState::cancelled, gone.state());
    numbers.send(8);
    EXPECT_EQ(8, shared.receive());
  });
}

TEST(BroadcastTest, C16_AnItemHandedOverBeforeTheCancelIsNotLost) {
  run([] {
    Numbers numbers{4};
    Numbers::Subscription shared{numbers};
    std::optional<int> got;
    auto task = asyncio::create_task([&] {
      got = shared.receive();
      asyncio::sleep(1h);  // the cancel has waited for this call
    });
    settle();
    numbers.send(7);
    task.cancel();
    EXPECT_THROW(asyncio::await(task), asyncio::TaskCancelledException);
    EXPECT_EQ(7, got);
  });
}

TEST(BroadcastTest, C9_AReceiverThatEndsRightAfterItWasWokenCompletes) {
  run([] {
    Numbers numbers{4};
    Numbers::Subscription shared{numbers};
    auto task = asyncio::create_task([&] { return shared.receive(); });
    settle();
    numbers.send(7);
    task.cancel();
    EXPECT_EQ(7, asyncio::await(task));
    EXPECT_EQ(asyncio::TaskState::completed, task.state());
  });
}

TEST(BroadcastTest, R2_APendingCancelTakesNothing) {
  run([] {
    Numbers numbers{4};
    Numbers::Subscription shared{numbers};
    numbers.send(7);
    auto task = asyncio::create_task([&] {
      asyncio::current_task().cancel();
      shared.receive();
    });
    EXPECT_THROW(asyncio::await(task), asyncio::TaskCancelledException);
    EXPECT_EQ(7, shared.receive());
  });
}

TEST(BroadcastTest, P13_DestroyedWhileTasksWaitTheyGetClosedError) {
  run([] {
    auto numbers = std::make_unique<Numbers>(4);
    const auto receive = [&source = *numbers] {
      Numbers::Subscription mine{source};
      return mine.receive();
    };
    std::vector<asyncio::Task<int>> tasks;
    for (int i = 0; i < 3; ++i) tasks.push_back(asyncio::create_task(receive));
    settle();
    numbers.reset();
    for (auto& task : tasks) EXPECT_THROW(asyncio::await(task), asyncio::ClosedError);
  });
}

TEST(BroadcastTest, P13_ASubscriptionThatIsDestroyedIsNotServed) {
  run([] {
    Numbers numbers{4};
    auto shared = std::make_unique<Numbers::Subscription>(numbers);
    auto task = asyncio::create_task([&here = *shared] { return here.receive(); });
    settle();
    shared.reset();
    numbers.send(7);
    EXPECT_THROW(asyncio::await(task), asyncio::ClosedError);
  });
}

TEST(BroadcastTest, P26_ADeadlineEndsTheWaitUnlessAnItemComesInTheSameTurn) {
  run([] {
    Numbers numbers{4};
    Numbers::Subscription shared{numbers};
    const auto start = asyncio::get_event_loop().now();
    EXPECT_EQ(std::nullopt, shared.receive_until(start + 20ms));
    EXPECT_EQ(start + 20ms, asyncio::get_event_loop().now());

    asyncio::call_later(20ms, [&] { numbers.send(7); });  // due at the deadline, too
    EXPECT_EQ(7, shared.receive_until(start + 40ms));
    numbers.send(8);
    EXPECT_EQ(8, shared.receive());
  });
}

TEST(BroadcastTest, P26_ATimeoutAroundItTakesNothing) {
  run([] {
    Numbers numbers{4};
    Numbers::Subscription shared{numbers};
    EXPECT_THROW(asyncio::timeout(20ms, [&] { return shared.receive(); }),
                 asyncio::TimeoutException);
    numbers.send(7);
    EXPECT_EQ(7, shared.receive());
  });
}

TEST(BroadcastTest, S33_TheReportOfADeadlockNamesIt) {
  try {
    run([] {
      Numbers numbers{4};
      Numbers::Subscription shared{numbers};
      shared.receive();
    });
    FAIL() << "nobody can ever send";
  } catch (const asyncio::DeadlockError& error) {
    EXPECT_NE(std::string::npos, std::string{error.what()}.find("broadcast")) << error.what();
  }
}

TEST(BroadcastTest, P28_OneThatNeverHasToWaitStarvesNobody) {
  run([] {
    Numbers numbers{4};
    Numbers::Subscription shared{numbers};
    bool ran = false;
    asyncio::create_task([&] { ran = true; });
    for (int i = 0; i < 100'000 && !ran; ++i) {
      numbers.send(i);
      shared.receive();
    }
    EXPECT_TRUE(ran);
  });
}

TEST(BroadcastTest, P27_OutsideATaskSendingWorksAndReceivingIsAnError) {
  run([] {
    Numbers numbers{4};
    Numbers::Subscription shared{numbers};
    bool refused = false;
    asyncio::call_soon([&] {
      numbers.send(7);
      try {
        shared.receive();
      } catch (const asyncio::NotInTaskError&) {
        refused = true;
      }
    });
    EXPECT_EQ(7, shared.receive());
    EXPECT_TRUE(refused);
  });
}

}  // namespace
}  // namespace third_party

// Channels: what the two ends say to each other, and when they are gone.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class ChannelTest : public LoopTest {};

TEST_F(ChannelTest, ItemsComeOutInOrder) {
  run([] {
    auto [sender, receiver] = make_channel<int>(2);
    auto producer = create_task([sender = std::move(sender)]() mutable {
      for (int i = 0; i < 5; ++i) sender.send(i);
    });
    std::vector<int> got;
    for (auto& item : receiver) got.push_back(item);
    EXPECT_EQ((std::vector{0, 1, 2, 3, 4}), got);
    EXPECT_TRUE(producer.is_done());
  });
}

TEST_F(ChannelTest, P20_ItHoldsSoManyAndNoMore) {
  run([] {
    auto [sender, receiver] = make_channel<int>(1);
    EXPECT_TRUE(sender.try_send(1));
    EXPECT_FALSE(sender.try_send(2));
    EXPECT_EQ(1u, receiver.size());
    EXPECT_EQ(1, receiver.receive());
    EXPECT_EQ(std::nullopt, receiver.try_receive());

    auto [unbuffered, taker] = make_channel<int>(0);
    EXPECT_FALSE(unbuffered.try_send(1)) << "nobody waits for it";
    auto taking = create_task([taker = taker]() mutable { return taker.receive(); });
    settle();
    EXPECT_TRUE(unbuffered.try_send(1));
    EXPECT_EQ(1, await(taking));

    auto [endless, other] = make_channel<int>();
    for (int i = 0; i < 1000; ++i) EXPECT_TRUE(endless.try_send(i));
    EXPECT_EQ(1000u, other.size());
  });
}

TEST_F(ChannelTest, P22_WhenTheLastSenderGoesReceiversDrainItAndSeeTheEnd) {
  run([] {
    auto [sender, receiver] = make_channel<int>(5);
    auto second = sender;
    sender.send(1);
    sender.close();
    second.send(2);
    auto waiting = create_task([receiver = receiver]() mutable {
      std::vector<int> got;
      while (auto item = receiver.next()) got.push_back(*item);
      return got;
    });
    settle();
    EXPECT_FALSE(waiting.is_done()) << "there is still a sender";
    second.send(3);
    { const auto last = std::move(second); }
    EXPECT_EQ((std::vector{1, 2, 3}), await(waiting));
    EXPECT_EQ(std::nullopt, receiver.next());
    EXPECT_TRUE(
        contains(message_of<ClosedError>([&, &end = receiver] { end.receive(); }), "every sender"));
  });
}

TEST_F(ChannelTest, P22_WhenTheLastReceiverGoesSendersGetClosedErrorAndKeepTheirItem) {
  run([] {
    auto [sender, receiver] = make_channel<std::unique_ptr<int>>(1);
    auto second = receiver;
    sender.send(std::make_unique<int>(1));
    auto waiting = create_task([sender = sender]() mutable {
      auto item = std::make_unique<int>(2);
      const std::string message = message_of<ClosedError>([&] { sender.send(std::move(item)); });
      EXPECT_TRUE(contains(message, "Sender::send: every receiver")) << message;
      return item != nullptr;
    });
    settle();
    receiver.close();
    settle();
    EXPECT_FALSE(waiting.is_done());
    EXPECT_TRUE(sender.has_receiver());
    second.close();
    EXPECT_TRUE(await(waiting));
    EXPECT_FALSE(sender.has_receiver());
    auto item = std::make_unique<int>(3);
    EXPECT_THROW(sender.send(std::move(item)), ClosedError);
    EXPECT_THROW(sender.try_send(std::move(item)), ClosedError);
    EXPECT_NE(nullptr, item);
  });
}

TEST_F(ChannelTest, P22_WhatIsLeftGoesWithTheLastReceiver) {
  run([] {
    auto [sender, receiver] = make_channel<std::shared_ptr<int>>(1);
    auto item = std::make_shared<int>(1);
    sender.send(item);
    EXPECT_EQ(2, item.use_count());
    receiver.close();
    EXPECT_EQ(1, item.use_count());
  });
}

TEST_F(ChannelTest, P22_AnEndThatIsClosedWhileATaskWaitsOnItSaysSo) {
  run([] {
    auto [full, taker] = make_channel<int>(0);
    auto sending =
        create_task([&end = full] { return message_of<ClosedError>([&] { end.send(1); }); });
    auto keeps_it_open = taker;
    auto [source, waiting] = make_channel<int>(0);
    auto receiving =
        create_task([&end = waiting] { return message_of<ClosedError>([&] { end.receive(); }); });
    settle();
    taker.close();
    keeps_it_open.close();
    EXPECT_TRUE(contains(await(sending), "every receiver"));
    waiting.close();
    EXPECT_TRUE(contains(await(receiving), "Receiver::receive on an end"));
    EXPECT_FALSE(source.has_receiver());
  });
}

TEST_F(ChannelTest, P21_AClosedOrMovedFromEndIsAnErrorAndClosingTwiceIsNone) {
  run([] {
    auto [sender, receiver] = make_channel<int>(1);
    auto moved = std::move(sender);
    EXPECT_THROW(sender.send(1), ClosedError);
    EXPECT_FALSE(sender.has_receiver());
    moved.send(1);
    moved.close();
    moved.close();
    EXPECT_THROW(moved.try_send(1), ClosedError);
    EXPECT_EQ(1, receiver.receive());
    receiver.close();
    receiver.close();
    EXPECT_THROW(receiver.receive(), ClosedError);
    EXPECT_THROW(receiver.next(), ClosedError);
    EXPECT_THROW(receiver.try_receive(), ClosedError);
    EXPECT_EQ(0u, receiver.size());
  });
}

TEST_F(ChannelTest, P20_EachItemGoesToOneReceiverInOrderOfArrival) {
  keep_order();
  run([] {
    auto [sender, receiver] = make_channel<int>(0);
    std::vector<std::pair<int, int>> got;
    std::vector<Task<void>> tasks;
    for (int who = 0; who < 2; ++who) {
      tasks.push_back(create_task([&got, who, receiver = receiver]() mutable {
        for (auto& item : receiver) got.emplace_back(who, item);
      }));
      settle();
    }
    for (int i = 0; i < 4; ++i) {
      sender.send(i);
      settle();
    }
    sender.close();
    gather(std::move(tasks));
    EXPECT_EQ((std::vector<std::pair<int, int>>{{0, 0}, {1, 1}, {0, 2}, {1, 3}}), got);
  });
}

TEST_F(ChannelTest, C18_ACancelledSendLeavesTheItemWithTheCaller) {
  run([] {
    auto [sender, receiver] = make_channel<std::unique_ptr<int>>(0);
    auto item = std::make_unique<int>(1);
    auto sending =
        create_task([&item, sender = sender]() mutable { sender.send(std::move(item)); });
    settle();
    sending.cancel();
    EXPECT_THROW(await(sending), TaskCancelledException);
    EXPECT_NE(nullptr, item);
    EXPECT_EQ(std::nullopt, receiver.try_receive());
  });
}

TEST_F(ChannelTest, C17_AnItemHandedOverBeforeTheCancelIsDelivered) {
  run([] {
    auto [sender, receiver] = make_channel<int>(0);
    int got = 0;
    auto receiving = create_task([&got, receiver = receiver]() mutable {
      got = receiver.receive();
      sleep(1s);
    });
    settle();
    sender.send(1);
    receiving.cancel();
    EXPECT_THROW(await(receiving), TaskCancelledException);
    EXPECT_EQ(1, got);
  });
}

}  // namespace
}  // namespace asyncio::test

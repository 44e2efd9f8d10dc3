// What other threads leave for a loop (case L29): one wake-up for one sleep, nothing lost, nothing
// left behind.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <asyncio/core/internal/reactor/inbox.h>
#include <asyncio/tests/support/scale.h>

namespace asyncio::test {
namespace {

using detail::Inbox;
using detail::Post;

/// A post that counts how it ended.
struct Numbered : Post {
  explicit Numbered(int n, int* told_of_the_end = nullptr)
      : Post([](Post& post, detail::Scheduler* loop) {
          const std::unique_ptr<Numbered> self{static_cast<Numbered*>(&post)};
          if (loop == nullptr && self->dropped != nullptr) ++*self->dropped;
        }),
        number(n),
        dropped(told_of_the_end) {}
  int number;
  int* dropped;
};

/// How often something wrote to the wake-up descriptor since the last look.
std::uint64_t writes(const Inbox& inbox) {
  std::uint64_t count = 0;
  return ::read(inbox.wake_fd(), &count, sizeof count) > 0 ? count : 0;
}

std::vector<int> numbers(Post* taken) {
  std::vector<int> list;
  while (taken != nullptr) {
    Post* next = std::exchange(taken, taken->next);
    list.push_back(static_cast<Numbered*>(next)->number);
    delete static_cast<Numbered*>(next);
  }
  return list;
}

class InboxTest : public testing::Test {
 protected:
  ~InboxTest() override {
    numbers(inbox.take_all());
    inbox.close();
  }
  Inbox& inbox = Inbox::open();
};

TEST_F(InboxTest, FirstInFirstOut) {
  EXPECT_FALSE(inbox.has_posts());
  EXPECT_EQ(nullptr, inbox.take_all());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(inbox.push(*new Numbered{i}));
  EXPECT_TRUE(inbox.has_posts());
  EXPECT_EQ((std::vector<int>{0, 1, 2, 3, 4}), numbers(inbox.take_all()));
  EXPECT_FALSE(inbox.has_posts());
}

TEST_F(InboxTest, L29_ALoopThatIsAwakeCostsNoWrite) {
  for (int i = 0; i < 100; ++i) inbox.push(*new Numbered{i});
  EXPECT_EQ(0u, writes(inbox));
  EXPECT_FALSE(inbox.begin_sleep()) << "there is work already";
  inbox.push(*new Numbered{100});
  EXPECT_EQ(0u, writes(inbox)) << "and it did not fall asleep";
}

TEST_F(InboxTest, L29_AMillionPostsToASleepingLoopCostOneWrite) {
  const auto count = static_cast<int>(scaled(250'000));
  ASSERT_TRUE(inbox.begin_sleep());
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < count; ++i) inbox.push(*new Numbered{i});
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(1u, writes(inbox));
  inbox.end_sleep();
  EXPECT_EQ(static_cast<std::size_t>(4 * count), numbers(inbox.take_all()).size());
}

TEST_F(InboxTest, L29_EachSleepIsEndedAnew) {
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(inbox.begin_sleep());
    inbox.push(*new Numbered{i});
    pollfd wake{inbox.wake_fd(), POLLIN, 0};
    EXPECT_EQ(1, ::poll(&wake, 1, 0));
    EXPECT_TRUE(inbox.drain());
    EXPECT_FALSE(inbox.drain()) << "nothing more to read";
    inbox.end_sleep();
    EXPECT_EQ((std::vector<int>{i}), numbers(inbox.take_all()));
  }
}

TEST_F(InboxTest, WakeWithoutAPostEndsASleepOrKeepsTheNextFromBeginning) {
  ASSERT_TRUE(inbox.begin_sleep());
  inbox.wake();
  inbox.wake();
  EXPECT_EQ(1u, writes(inbox));
  inbox.end_sleep();
  inbox.drain();
  inbox.wake();  // awake, about to sleep: a signal that came just before
  EXPECT_FALSE(inbox.begin_sleep());
  EXPECT_TRUE(inbox.begin_sleep()) << "once is enough";
  inbox.end_sleep();
  EXPECT_EQ(0u, writes(inbox));
}

TEST_F(InboxTest, NoWakeUpIsLostBetweenLookingAndSleeping) {
  const auto count = static_cast<int>(scaled(100'000));
  std::atomic<int> taken{0};
  std::thread poster([&] {
    for (int i = 0; i < count; ++i) {
      inbox.push(*new Numbered{i});
      // The next one goes to a loop that is falling asleep, or nearly.
      while (taken <= i) std::this_thread::yield();
    }
  });
  int next = 0;
  while (next < count) {
    if (inbox.begin_sleep()) {
      pollfd wake{inbox.wake_fd(), POLLIN, 0};
      ASSERT_EQ(1, ::poll(&wake, 1, 60'000)) << "sleeps on a post";
      inbox.drain();
      inbox.end_sleep();
    }
    for (const int number : numbers(inbox.take_all())) {
      ASSERT_EQ(next++, number);
      ++taken;
    }
  }
  poster.join();
}

TEST(InboxCloseTest, L29_ClosingDropsWhatIsLeftAndRefusesWhatComes) {
  Inbox& inbox = Inbox::open();
  int dropped = 0;
  for (int i = 0; i < 3; ++i) inbox.push(*new Numbered{i, &dropped});
  inbox.close();
  EXPECT_EQ(3, dropped);
  const auto late = std::make_unique<Numbered>(3, &dropped);
  EXPECT_FALSE(inbox.push(*late)) << "still the caller's";
  EXPECT_EQ(3, dropped);
  inbox.wake();  // harmless
}

TEST(InboxCloseTest, AnInboxUsedAgainKnowsNothingOfItsPast) {
  Inbox& first = Inbox::open();
  ASSERT_TRUE(first.begin_sleep());
  first.push(*new Numbered{1});
  first.wake();
  first.close();
  Inbox& again = Inbox::open();
  EXPECT_EQ(&first, &again) << "objects are used again, not freed: a thread may still know them";
  EXPECT_FALSE(again.has_posts());
  EXPECT_EQ(0u, writes(again));
  ASSERT_TRUE(again.begin_sleep());
  again.push(*new Numbered{2});
  EXPECT_EQ(1u, writes(again));
  again.end_sleep();
  EXPECT_EQ((std::vector<int>{2}), numbers(again.take_all()));
  again.close();
}

TEST(InboxCloseTest, WakersThatRaceWithTheEndNeverWriteToAStrangersDescriptor) {
  for (std::size_t round = 0; round < scaled(300); ++round) {
    Inbox& inbox = Inbox::open();
    std::atomic<bool> stop{false};
    std::thread waker([&] {
      while (!stop) inbox.wake();
    });
    for (int i = 0; i < 20; ++i) {
      if (inbox.begin_sleep()) inbox.end_sleep();
    }
    const bool asleep = inbox.begin_sleep();
    inbox.close();
    // The number is free now, and somebody else gets it.
    int ends[2];
    ASSERT_EQ(0, ::pipe(ends));
    for (int i = 0; i < 3; ++i) std::this_thread::yield();
    pollfd written{ends[0], POLLIN, 0};
    EXPECT_EQ(0, ::poll(&written, 1, 0)) << "asleep: " << asleep;
    stop = true;
    waker.join();
    ::close(ends[0]);
    ::close(ends[1]);
  }
}

TEST_F(InboxTest, AClosedOneIsClosedForWhoHadItWhileAnotherThreadTakesIt) {
  for (int round = 0; round < 200; ++round) {
    Inbox& first = Inbox::open();
    const std::uint64_t mine = first.epoch();
    EXPECT_TRUE(first.is_open(mine));
    first.close();
    std::atomic<bool> go{false};
    std::atomic<bool> taken{false};
    std::atomic<bool> seen{false};
    std::thread other{[&] {
      while (!go) std::this_thread::yield();
      Inbox& next = Inbox::open();
      taken = true;
      EXPECT_EQ(&first, &next) << "else nothing is tested here";
      EXPECT_NE(mine, next.epoch());
      while (!seen) std::this_thread::yield();
      next.close();
    }};
    go = true;
    bool taken_for_open = false;
    do {
      taken_for_open = taken_for_open || first.is_open(mine);
    } while (!taken);
    EXPECT_FALSE(taken_for_open);
    seen = true;
    other.join();
  }
}

}  // namespace
}  // namespace asyncio::test

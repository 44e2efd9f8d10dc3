// The queue of deadlines, against a multimap that is obviously right.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <utility>

#include <gtest/gtest.h>

#include <asyncio/core/internal/reactor/timer_queue.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;
using detail::TimerNode;
using detail::TimerQueue;

struct Node : TimerNode {
  Node() : TimerNode([](TimerNode&) {}) {}
};

TimePoint at(Duration since) { return TimePoint{since}; }

TEST(TimerQueueTest, EmptyHasNoEarliest) {
  TimerQueue queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(TimePoint::max(), queue.earliest());
  EXPECT_EQ(nullptr, queue.due(at(1h)));
  Node node;
  queue.disarm(node);  // not armed: harmless
  queue.arm(node, at(2h));
  EXPECT_EQ(at(2h), queue.earliest());
  queue.disarm(node);
  queue.disarm(node);
  EXPECT_TRUE(queue.empty());
  EXPECT_FALSE(node.armed());
  EXPECT_EQ(TimePoint::max(), queue.earliest());
}

TEST(TimerQueueTest, NothingIsDueBeforeItsDeadlineHoweverFar) {
  for (const Duration delay :
       {Duration{1}, Duration{1ms}, Duration{10ms}, Duration{1s}, Duration{1min}, Duration{1h},
        Duration{100h}, Duration{24h * 3650}}) {
    for (const Duration start :
         {Duration{-5s}, Duration{0}, Duration{(1 << 23) - 1}, Duration{1000h}}) {
      TimerQueue queue;
      EXPECT_EQ(nullptr, queue.due(at(start)));
      Node node;
      queue.arm(node, at(start + delay));
      EXPECT_EQ(at(start + delay), queue.earliest());
      EXPECT_EQ(nullptr, queue.due(at(start + delay - 1ns)));
      EXPECT_EQ(at(start + delay), queue.earliest());
      EXPECT_EQ(&node, queue.due(at(start + delay)));
      queue.disarm(node);
    }
  }
}

TEST(TimerQueueTest, TheEndOfTimeIsDueOnlyThen) {
  TimerQueue queue;
  Node last;
  Node first;
  queue.arm(last, TimePoint::max());
  queue.arm(first, TimePoint::min());
  EXPECT_EQ(&first, queue.due(at(0s)));
  queue.disarm(first);
  EXPECT_EQ(nullptr, queue.due(TimePoint::max() - 1ns));
  EXPECT_EQ(&last, queue.due(TimePoint::max()));
  queue.disarm(last);
}

TEST(TimerQueueTest, L2_EqualDeadlinesComeInOrderOfArming) {
  for (const Duration delay : {Duration{7}, Duration{1s}, Duration{100h}}) {
    TimerQueue queue;
    std::deque<Node> nodes(100);
    for (Node& node : nodes) queue.arm(node, at(delay));
    for (Node& node : nodes) {
      EXPECT_EQ(&node, queue.due(at(delay)));
      queue.disarm(node);
    }
  }
}

TEST(TimerQueueTest, RearmedAsIsKeepsItsPlaceAmongEquals) {
  TimerQueue queue;
  std::deque<Node> nodes(10);
  for (Node& node : nodes) queue.arm(node, at(7s));
  queue.disarm(nodes[0]);
  queue.disarm(nodes[5]);
  queue.rearm_as_is(nodes[5]);
  queue.rearm_as_is(nodes[0]);
  for (Node& node : nodes) {
    EXPECT_EQ(&node, queue.due(at(7s)));
    queue.disarm(node);
  }
}

TEST(TimerQueueTest, ArmingAgainIsANewPlaceInTheOrder) {
  TimerQueue queue;
  Node first;
  Node second;
  queue.arm(first, at(7s));
  const std::uint64_t between = queue.next_sequence();
  queue.arm(second, at(7s));
  queue.disarm(first);
  queue.arm(first, at(7s));
  EXPECT_EQ(&second, queue.due(at(7s)));
  EXPECT_GE(first.sequence, between);
  EXPECT_LT(second.sequence, first.sequence);
}

TEST(TimerQueueTest, WhatIsSetAsideComesBackUnlessItWasDisarmed) {
  TimerQueue queue;
  std::deque<Node> nodes(4);
  for (Node& node : nodes) queue.arm(node, at(1s));
  EXPECT_EQ(&nodes[0], queue.due(at(1s)));
  queue.set_aside(nodes[0]);
  queue.set_aside(nodes[1]);
  EXPECT_TRUE(nodes[0].armed());
  EXPECT_EQ(2U, queue.size());
  EXPECT_EQ(&nodes[2], queue.due(at(1s)));
  queue.disarm(nodes[0]);
  queue.bring_back();
  EXPECT_EQ(&nodes[1], queue.due(at(1s)));
  EXPECT_EQ(3U, queue.size());
  for (Node& node : nodes) queue.disarm(node);
}

TEST(TimerQueueTest, OfVeryManyTheEarliestIsABoundThatEndsInTheDeadlineItself) {
  for (const Duration delay : {Duration{10min}, Duration{50h}, Duration{24h * 3650}}) {
    TimerQueue queue;
    std::deque<Node> nodes(1000);
    for (std::size_t i = 0; i < nodes.size(); ++i) queue.arm(nodes[i], at(delay + i * 1us));
    TimePoint now = at(0s);
    int wakeups = 0;
    while (queue.due(now) == nullptr) {
      const TimePoint next = queue.earliest();
      ASSERT_GT(next, now) << "a loop would spin";
      ASSERT_LE(next, at(delay));
      now = next;
      ASSERT_LE(++wakeups, 5 + delay / (1h * 39));
    }
    EXPECT_EQ(at(delay), now);
    for (Node& node : nodes) queue.disarm(node);
    EXPECT_EQ(TimePoint::max(), queue.earliest());
  }
}

TEST(TimerQueueTest, OfOneListInAnyOrderTheEarliestComesFirst) {
  for (const std::size_t count : {10U, 100U, 5000U}) {
    for (const std::size_t lengths : {std::size_t{1}, std::size_t{3}, count}) {
      TimerQueue queue;
      std::minstd_rand random{1};
      std::deque<Node> nodes(count);
      for (std::size_t i = 0; i < count; ++i) {
        const Duration among_equals = i * 1ns;
        const Duration length =
            lengths == count ? Duration{random() % 8'000'000} : (i % lengths) * 2ms;
        queue.arm(nodes[i], at(10s + length + among_equals));
      }
      TimePoint last = TimePoint::min();
      for (std::size_t i = 0; i < count; ++i) {
        TimerNode* const node = queue.due(at(11s));
        ASSERT_NE(nullptr, node);
        ASSERT_GE(node->deadline, last);
        last = node->deadline;
        queue.disarm(*node);
      }
      ASSERT_TRUE(queue.empty());
    }
  }
}

// What a loop does, on one node after the other.
class Model {
 public:
  Model(unsigned seed, Duration start) : random_(seed), now_(start) {}

  void arm(Node& node) {
    const TimePoint when = at(now_ + delay());
    queue_.arm(node, when);
    model_.emplace(when, &node);
  }
  void disarm(Node& node) {
    auto found = model_.lower_bound(node.deadline);
    while (found->second != &node) ++found;
    model_.erase(found);
    queue_.disarm(node);
    ASSERT_FALSE(node.armed());
  }
  void let_time_pass() {
    now_ += delay() / 4;
    while (!model_.empty() && model_.begin()->first <= at(now_)) {
      Node& expected = *model_.begin()->second;
      ASSERT_EQ(&expected, queue_.due(at(now_)));
      disarm(expected);
    }
    ASSERT_EQ(nullptr, queue_.due(at(now_)));
  }
  void check() {
    ASSERT_EQ(model_.size(), queue_.size());
    const TimePoint earliest = model_.empty() ? TimePoint::max() : model_.begin()->first;
    if (model_.size() <= 64) {
      ASSERT_EQ(earliest, queue_.earliest());
    } else {
      ASSERT_LE(queue_.earliest(), earliest);
      ASSERT_GT(queue_.earliest(), at(now_));
    }
  }
  std::size_t random() { return random_(); }

 private:
  // Of every length, often equal, and often at the edges of the wheel's lists.
  Duration delay() {
    constexpr std::int64_t tick = std::int64_t{1} << 23;
    const std::int64_t bits = static_cast<std::int64_t>(random() % 52);
    switch (random() % 3) {
      case 0:
        return Duration{(std::int64_t{1} << bits) + 1};
      case 1:
        return Duration{1 + static_cast<std::int64_t>(random()) % (std::int64_t{1} << bits)};
      default: {
        const std::int64_t next = (now_.count() / tick + 1) * tick - now_.count();
        return Duration{next + (tick << (random() % 28)) - static_cast<std::int64_t>(random() % 2)};
      }
    }
  }

  std::minstd_rand random_;
  Duration now_;
  TimerQueue queue_;
  std::multimap<TimePoint, Node*>
      model_;  // equal keys keep the order of insertion, as the queue must
};

TEST(TimerQueueTest, AgreesWithAMultimapWhateverIsDoneToIt) {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    std::deque<Node> nodes(seed % 2 == 0 ? 40 : 400);
    // The highest level of the wheel comes round at 2^47 ns.
    Model model{seed,
                seed % 3 == 0 ? Duration{(std::int64_t{1} << 47) - 1'000'000'000} : Duration{-3s}};
    for (int step = 0; step < 10'000; ++step) {
      Node& node = nodes[model.random() % nodes.size()];
      const bool growing = (step / 1000) % 2 == 0;
      const auto choice = model.random() % 20;
      if (choice == 0) {
        ASSERT_NO_FATAL_FAILURE(model.let_time_pass());
      } else if (!node.armed() && (growing || choice < 6)) {
        model.arm(node);
      } else if (node.armed() && (!growing || choice < 6)) {
        ASSERT_NO_FATAL_FAILURE(model.disarm(node));
      }
      ASSERT_NO_FATAL_FAILURE(model.check());
    }
  }
}

}  // namespace
}  // namespace asyncio::test

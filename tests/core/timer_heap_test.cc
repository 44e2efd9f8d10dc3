// The heap of deadlines, against a multimap that is obviously right.
#include <cstddef>
#include <deque>
#include <map>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include <asyncio/core/internal/timer_heap.h>

namespace asyncio::test {
namespace {

using detail::TimerHeap;
using detail::TimerNode;

struct Node : TimerNode {
  Node() : TimerNode([](TimerNode&) {}) {}
};

TimePoint at(int tick) { return TimePoint{Duration{tick}}; }

TEST(TimerHeapTest, EmptyHasNoEarliest) {
  TimerHeap heap;
  EXPECT_TRUE(heap.empty());
  EXPECT_EQ(TimePoint::max(), heap.earliest());
  Node node;
  heap.disarm(node);  // not armed: harmless
  heap.arm(node, at(1));
  EXPECT_EQ(at(1), heap.earliest());
  heap.disarm(node);
  heap.disarm(node);
  EXPECT_TRUE(heap.empty());
  EXPECT_FALSE(node.armed());
}

TEST(TimerHeapTest, L2_EqualDeadlinesComeInOrderOfArming) {
  TimerHeap heap;
  std::deque<Node> nodes(100);
  for (Node& node : nodes) heap.arm(node, at(7));
  for (Node& node : nodes) {
    EXPECT_EQ(&node, &heap.top());
    heap.disarm(heap.top());
  }
}

TEST(TimerHeapTest, RearmedAsIsKeepsItsPlaceAmongEquals) {
  TimerHeap heap;
  std::deque<Node> nodes(10);
  for (Node& node : nodes) heap.arm(node, at(7));
  heap.disarm(nodes[0]);
  heap.disarm(nodes[5]);
  heap.rearm_as_is(nodes[5]);
  heap.rearm_as_is(nodes[0]);
  for (Node& node : nodes) {
    EXPECT_EQ(&node, &heap.top());
    heap.disarm(heap.top());
  }
}

TEST(TimerHeapTest, ArmingAgainIsANewPlaceInTheOrder) {
  TimerHeap heap;
  Node first;
  Node second;
  heap.arm(first, at(7));
  const std::uint64_t between = heap.next_sequence();
  heap.arm(second, at(7));
  heap.disarm(first);
  heap.arm(first, at(7));
  EXPECT_EQ(&second, &heap.top());
  EXPECT_GE(first.sequence, between);
  EXPECT_LT(second.sequence, first.sequence);
}

TEST(TimerHeapTest, AgreesWithAMultimapWhateverIsDoneToIt) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::minstd_rand random{seed};
    TimerHeap heap;
    // Equal keys keep the order of insertion, as the heap must.
    std::multimap<TimePoint, Node*> model;
    std::deque<Node> nodes(400);
    const auto place_of = [&](Node& node) {
      auto found = model.lower_bound(node.deadline);
      while (found->second != &node) ++found;
      return found;
    };
    for (int step = 0; step < 20'000; ++step) {
      Node& node = nodes[random() % nodes.size()];
      // Few different times, so that many are equal; and phases of growing and of shrinking.
      const TimePoint when = at(static_cast<int>(random() % 50));
      const bool growing = (step / 2000) % 2 == 0;
      const auto choice = random() % 10;
      if (choice == 0 && !model.empty()) {
        ASSERT_EQ(model.begin()->second, &heap.top());
        model.erase(model.begin());
        heap.disarm(heap.top());
      } else if (!node.armed() && (growing || choice < 3)) {
        heap.arm(node, when);
        model.emplace(when, &node);
      } else if (node.armed() && (!growing || choice < 3)) {
        model.erase(place_of(node));
        heap.disarm(node);
        ASSERT_FALSE(node.armed());
      }
      ASSERT_EQ(model.size(), heap.size());
      ASSERT_EQ(model.empty() ? TimePoint::max() : model.begin()->first, heap.earliest());
    }
    for (const auto& [when, node] : model) {
      ASSERT_EQ(node, &heap.top());
      ASSERT_EQ(when, heap.earliest());
      heap.disarm(heap.top());
    }
    EXPECT_TRUE(heap.empty());
  }
}

}  // namespace
}  // namespace asyncio::test

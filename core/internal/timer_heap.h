// Every deadline of a loop in one four-way heap.  Nodes know their place, so disarming is cheap:
// most I/O timeouts never fire.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <asyncio/core/detail/timer_node.h>
#include <asyncio/core/time.h>

namespace asyncio::detail {

/// Orders nodes by (deadline, sequence): equal deadlines fire in the order they were armed.
class TimerHeap {
 public:
  bool empty() const noexcept { return entries_.empty(); }
  std::size_t size() const noexcept { return entries_.size(); }
  /// Requires: not empty.
  TimerNode& top() const noexcept { return *entries_.front().node; }
  TimePoint earliest() const noexcept {
    return entries_.empty() ? TimePoint::max() : entries_.front().deadline;
  }
  /// The sequence number the next armed node gets: nodes below it were armed before now.
  std::uint64_t next_sequence() const noexcept { return next_sequence_; }

  /// Requires: not armed.  May throw std::bad_alloc.
  void arm(TimerNode& node, TimePoint deadline) {
    entries_.push_back({});
    node.deadline = deadline;
    node.sequence = next_sequence_++;
    sift_up(entries_.size() - 1, {deadline, &node});
  }

  /// As arm(), for a node that arm() or top() gave and that keeps its sequence.
  void rearm_as_is(TimerNode& node) {
    entries_.push_back({});
    sift_up(entries_.size() - 1, {node.deadline, &node});
  }

  /// Out of sight, though armed, until bring_back(): it may be disarmed, and its owner may go.
  void set_aside(TimerNode& node) {
    aside_.push_back(&node);  // may throw: nothing has changed then
    disarm(node);
    node.heap_index = aside_bit | (aside_.size() - 1);
  }
  void bring_back() {
    for (TimerNode* node : aside_) {
      if (node != nullptr) rearm_as_is(*node);
    }
    aside_.clear();
  }

  /// Harmless for a node that is not armed.
  void disarm(TimerNode& node) noexcept {
    if (!node.armed()) return;
    const std::size_t hole = node.heap_index;
    node.heap_index = TimerNode::not_armed;
    if ((hole & aside_bit) != 0) {
      aside_[hole & ~aside_bit] = nullptr;
      return;
    }
    const Entry last = entries_.back();
    entries_.pop_back();
    if (hole == entries_.size()) return;
    if (hole > 0 && before(last, entries_[parent_of(hole)])) {
      sift_up(hole, last);
    } else {
      sift_down(hole, last);
    }
  }

 private:
  struct Entry {
    TimePoint deadline{};
    TimerNode* node = nullptr;
  };
  static constexpr std::size_t arity = 4;
  static constexpr std::size_t aside_bit = ~(~std::size_t{0} >> 1);  // in heap_index

  static std::size_t parent_of(std::size_t i) noexcept { return (i - 1) / arity; }
  static bool before(const Entry& a, const Entry& b) noexcept {
    if (a.deadline != b.deadline) return a.deadline < b.deadline;
    return a.node->sequence < b.node->sequence;
  }
  void place(std::size_t at, const Entry& entry) noexcept {
    entries_[at] = entry;
    entry.node->heap_index = at;
  }
  void sift_up(std::size_t hole, const Entry& entry) noexcept {
    while (hole > 0 && before(entry, entries_[parent_of(hole)])) {
      place(hole, entries_[parent_of(hole)]);
      hole = parent_of(hole);
    }
    place(hole, entry);
  }
  void sift_down(std::size_t hole, const Entry& entry) noexcept {
    const std::size_t count = entries_.size();
    for (;;) {
      const std::size_t first = hole * arity + 1;
      if (first >= count) break;
      const std::size_t end = first + arity < count ? first + arity : count;
      std::size_t best = first;
      for (std::size_t child = first + 1; child < end; ++child) {
        if (before(entries_[child], entries_[best])) best = child;
      }
      if (!before(entries_[best], entry)) break;
      place(hole, entries_[best]);
      hole = best;
    }
    place(hole, entry);
  }

  std::vector<Entry> entries_;
  std::vector<TimerNode*> aside_;
  std::uint64_t next_sequence_ = 1;
};

}  // namespace asyncio::detail

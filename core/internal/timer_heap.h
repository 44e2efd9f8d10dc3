// Every deadline of a loop in one four-way heap.  Disarming is cheap: most I/O timeouts never fire.
//
// Nodes lie scattered, each on a page of its own if it is on a parked task's stack, so the heap works
// without looking at them: where an entry is, and in which order it came, is kept in dense tables by
// slot.  (Places written into the nodes themselves cost eight page walks for each timer that fired.)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <asyncio/core/detail/timer_node.h>
#include <asyncio/core/time.h>

namespace asyncio::detail {

/// Orders nodes by (deadline, sequence): equal deadlines fire in the order they were armed.
class TimerHeap {
 public:
  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }
  /// Requires: not empty.
  TimerNode& top() const noexcept { return *slots_[entry(root).slot].node; }
  /// Fetches the nodes that are likely to be next at the top.
  void prefetch_next() const noexcept {
    for (std::size_t child = first_child_of(root); child < first_child_of(root) + arity; ++child) {
      if (child < end()) __builtin_prefetch(slots_[entry(child).slot].node);
    }
  }
  TimePoint earliest() const noexcept { return empty() ? TimePoint::max() : entry(root).deadline; }
  /// The sequence number the next armed node gets: nodes below it were armed before now.
  std::uint64_t next_sequence() const noexcept { return next_sequence_; }

  /// Requires: not armed.  May throw std::bad_alloc.
  void arm(TimerNode& node, TimePoint deadline) {
    take_slot(node);
    node.deadline = deadline;
    node.sequence = next_sequence_++;
    enter(node);
  }

  /// As arm(), for a node that arm() or top() gave and that keeps its sequence.
  void rearm_as_is(TimerNode& node) {
    take_slot(node);
    enter(node);
  }

  /// Out of sight, though armed, until bring_back(): it may be disarmed, and its owner may go.
  void set_aside(TimerNode& node) {
    aside_.push_back(&node);  // may throw: nothing has changed then
    remove(places_[node.slot]);
    places_[node.slot] = aside_bit | static_cast<std::uint32_t>(aside_.size() - 1);
  }
  void bring_back() noexcept {
    for (TimerNode* node : aside_) {
      if (node != nullptr) enter(*node);
    }
    aside_.clear();
  }

  /// Harmless for a node that is not armed.
  void disarm(TimerNode& node) noexcept {
    if (!node.armed()) return;
    const std::uint32_t place = places_[node.slot];
    places_[node.slot] = free_slot_;
    free_slot_ = node.slot;
    node.slot = TimerNode::not_armed;
    if ((place & aside_bit) != 0) {
      aside_[place & ~aside_bit] = nullptr;
    } else {
      remove(place);
    }
  }

 private:
  struct Entry {
    TimePoint deadline{};
    std::uint32_t slot = 0;
  };
  struct Slot {
    TimerNode* node = nullptr;
    std::uint64_t sequence = 0;
  };
  // Siblings share a cache line: the root's place is such that children begin at multiples of four.
  static constexpr std::size_t arity = 4;
  struct alignas(arity * sizeof(Entry)) Siblings {
    std::array<Entry, arity> entries;
  };
  static constexpr std::size_t root = 3;
  static constexpr std::size_t parent_of(std::size_t place) noexcept { return place / arity + 2; }
  static constexpr std::size_t first_child_of(std::size_t place) noexcept {
    return arity * (place - 2);
  }

  static constexpr std::uint32_t aside_bit = std::uint32_t{1} << 31;  // in places_
  static constexpr std::uint32_t no_slot = static_cast<std::uint32_t>(-1);

  Entry& entry(std::size_t place) noexcept {
    return siblings_[place / arity].entries[place % arity];
  }
  const Entry& entry(std::size_t place) const noexcept {
    return siblings_[place / arity].entries[place % arity];
  }
  std::size_t end() const noexcept { return root + size_; }

  bool before(const Entry& a, const Entry& b) const noexcept {
    if (a.deadline != b.deadline) return a.deadline < b.deadline;
    return slots_[a.slot].sequence < slots_[b.slot].sequence;
  }

  void take_slot(TimerNode& node) {
    if (free_slot_ == no_slot) grow();
    node.slot = free_slot_;
    free_slot_ = places_[node.slot];
  }
  // Room for an entry in each slot, so that nothing but this can fail.
  void grow() {
    const std::size_t old = slots_.size();
    const std::size_t more = old == 0 ? 16 : old * 2;
    siblings_.resize((root + more) / arity + 1);
    slots_.reserve(more);
    places_.resize(more);
    slots_.resize(more);
    for (std::size_t i = more; i-- > old;) {  // so that the lowest is taken first
      places_[i] = free_slot_;
      free_slot_ = static_cast<std::uint32_t>(i);
    }
  }

  void enter(TimerNode& node) noexcept {
    slots_[node.slot] = {&node, node.sequence};
    const std::size_t last = end();
    ++size_;
    sift_up(last, {node.deadline, node.slot});
  }
  void remove(std::size_t hole) noexcept {
    --size_;
    if (hole == end()) return;
    const Entry last = entry(end());
    if (hole > root && before(last, entry(parent_of(hole)))) {
      sift_up(hole, last);
    } else {
      sift_down(hole, last);
    }
  }

  void put(std::size_t place, const Entry& moved) noexcept {
    entry(place) = moved;
    places_[moved.slot] = static_cast<std::uint32_t>(place);
  }
  void sift_up(std::size_t hole, const Entry& moved) noexcept {
    while (hole > root && before(moved, entry(parent_of(hole)))) {
      put(hole, entry(parent_of(hole)));
      hole = parent_of(hole);
    }
    put(hole, moved);
  }
  void sift_down(std::size_t hole, const Entry& moved) noexcept {
    for (;;) {
      const std::size_t first = first_child_of(hole);
      if (first >= end()) break;
      const std::size_t last = first + arity < end() ? first + arity : end();
      std::size_t best = first;
      for (std::size_t child = first + 1; child < last; ++child) {
        if (before(entry(child), entry(best))) best = child;
      }
      if (!before(entry(best), moved)) break;
      put(hole, entry(best));
      hole = best;
    }
    put(hole, moved);
  }

  std::vector<Siblings> siblings_;
  std::size_t size_ = 0;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> places_;  ///< by slot; of a free one, the next free one
  std::uint32_t free_slot_ = no_slot;
  std::vector<TimerNode*> aside_;
  std::uint64_t next_sequence_ = 1;
};

}  // namespace asyncio::detail

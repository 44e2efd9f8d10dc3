// Every deadline of a loop.  Most I/O timeouts are disarmed long before they pass, so those that
// are not due soon are only sorted roughly, by when they are due: arming or disarming one links or
// unlinks it in a list.
//
// This is a hierarchical wheel (Varghese and Lauck, SOSP 1987): lists that span 8 ms, 0.5 s, 34 s
// and 37 minutes each, and one list for what comes after the next multiple of 39 hours.  As time
// goes on, lists come down level by level.  A list of 8 ms is sorted when its time begins, and
// timers are taken from its front: where many timers of a few lengths are due together, that is
// much less work than a heap for all of them.  A four-way heap takes timers that are due within
// milliseconds when armed, and lists that are in no order.
//
// Nodes lie scattered, each on a page of its own if it is on a parked task's stack, so the queue
// works without touching them: what it knows of each is in one dense table.  (Places written into
// the nodes themselves cost eight page walks for each timer that fired.)
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <asyncio/core/detail/timer_node.h>
#include <asyncio/core/time.h>

namespace asyncio::detail {

/// Orders nodes by (deadline, sequence): equal deadlines come in the order they were armed.
class TimerQueue {
 public:
  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }

  /// The time from which due() may return something: the earliest deadline or, if very many
  /// deadlines are close to it, a time before it but after the last due(now).  TimePoint::max() if
  /// empty.
  TimePoint earliest() noexcept {
    const std::uint32_t slot = first_near();
    if (slot != nowhere) return records_[slot].deadline;
    return size_ == 0 ? TimePoint::max() : earliest_far();
  }

  /// Returns the first node whose deadline is not after `now`, or null.
  TimerNode* due(TimePoint now) noexcept {
    if (tick_of(now) >= horizon_) advance(tick_of(now) + 1);
    const std::uint32_t slot = first_near();
    if (slot == nowhere || records_[slot].deadline > now) return nullptr;
    return records_[slot].node;
  }
  /// Fetches the nodes that are likely to be due next.  Requires: some node has been armed before.
  void prefetch_next() const noexcept {
    const std::uint32_t next = records_[sorted].second;
    __builtin_prefetch(records_[next].node);
    __builtin_prefetch(records_[records_[next].second].node);
  }

  /// The sequence number the next armed node gets: nodes below it were armed before now.
  std::uint64_t next_sequence() const noexcept { return next_sequence_; }

  /// Requires: not armed.  May throw std::bad_alloc.
  void arm(TimerNode& node, TimePoint deadline) {
    node.slot = take_slot();
    node.deadline = deadline;
    node.sequence = next_sequence_++;
    take_in(node);
  }
  /// As arm(), for a node that was armed before and keeps its deadline and its place among equals.
  void rearm_as_is(TimerNode& node) {
    node.slot = take_slot();
    take_in(node);
  }

  /// Hides an armed node until bring_back().  It may be disarmed meanwhile, and its owner may go.
  void set_aside(TimerNode& node) {
    aside_.push_back(node.slot);  // may throw: nothing has changed then
    leave(records_[node.slot]);
    records_[node.slot].set(static_cast<std::uint32_t>(aside_.size() - 1), in_aside);
  }
  void bring_back() noexcept;

  /// Harmless for a node that is not armed.
  void disarm(TimerNode& node) noexcept {
    if (!node.armed()) return;
    Record& record = records_[node.slot];
    if (record.second == in_aside) [[unlikely]] {
      aside_[record.first] = nowhere;
    } else {
      leave(record);
    }
    record.set(free_slot_, nowhere);
    free_slot_ = node.slot;
    node.slot = TimerNode::not_armed;
  }

 private:
  /// What is known of a node, by its slot.  The first records are the heads of lists.
  struct alignas(32) Record {
    TimerNode* node;
    std::uint64_t sequence;
    TimePoint deadline;
    // In a list, the slots before and after it.  Otherwise `second` tells where it is, and `first`
    // its place there; in a free slot, `first` is the next free one.
    std::uint32_t first;
    std::uint32_t second;
    void set(std::uint32_t a, std::uint32_t b) noexcept {
      first = a;
      second = b;
    }
  };
  static constexpr std::uint32_t nowhere = static_cast<std::uint32_t>(-1);
  static constexpr std::uint32_t in_heap = nowhere - 1;
  static constexpr std::uint32_t in_aside = nowhere - 2;

  std::uint32_t take_slot() {
    if (free_slot_ == nowhere) [[unlikely]]
      grow();
    const std::uint32_t slot = free_slot_;
    free_slot_ = records_[slot].first;
    if (free_slot_ != nowhere) __builtin_prefetch(&records_[free_slot_], 1);
    return slot;
  }
  void grow();

  void take_in(TimerNode& node) noexcept {
    Record& record = records_[node.slot];
    record.node = &node;
    record.sequence = node.sequence;
    record.deadline = node.deadline;
    enter(node.slot);
  }
  void enter(std::uint32_t slot) noexcept {
    ++size_;
    const Record& record = records_[slot];
    const std::uint64_t tick = tick_of(record.deadline);
    if (tick < horizon_) {
      push(slot);
    } else {
      link(slot, tick);
      if (record.deadline < far_earliest_) far_earliest_ = record.deadline;
    }
  }
  void leave(const Record& record) noexcept {
    --size_;
    if (record.second == in_heap) {
      remove(record.first);
    } else {
      records_[record.first].second = record.second;
      records_[record.second].first = record.first;
      if (record.deadline <= far_earliest_) far_earliest_ = unknown;
    }
  }

  // ---- The wheel --------------------------------------------------------------------------------

  static constexpr unsigned tick_bits = 23;  // of nanoseconds: 8.4 ms
  static constexpr unsigned level_bits = 6;
  static constexpr unsigned levels = 4;
  static constexpr std::uint64_t lists = std::uint64_t{1} << level_bits;  // in each level
  static constexpr std::uint32_t beyond = levels * lists;  // the head of what no level reaches
  static constexpr std::uint32_t sorted = beyond + 1;      // of what has come down from the wheel
  static constexpr std::uint32_t heads = sorted + 1;
  static constexpr TimePoint unknown = TimePoint::min();

  /// Works for times before the clock's epoch, too.
  static constexpr std::uint64_t tick_of(TimePoint time) noexcept {
    const auto since = static_cast<std::uint64_t>(time.time_since_epoch().count());
    return (since ^ (std::uint64_t{1} << 63)) >> tick_bits;
  }
  static constexpr TimePoint begin_of(std::uint64_t tick) noexcept {
    const std::uint64_t since = (tick << tick_bits) ^ (std::uint64_t{1} << 63);
    return TimePoint{Duration{static_cast<std::int64_t>(since)}};
  }
  /// The list of `tick` is in the lowest level where it and the horizon are in the same round.
  void link(std::uint32_t slot, std::uint64_t tick) noexcept {
    const auto level =
        (static_cast<unsigned>(std::bit_width((tick ^ horizon_) | 1)) - 1) / level_bits;
    std::uint32_t head = beyond;
    if (level < levels) [[likely]] {
      const std::uint64_t index = (tick >> (level * level_bits)) % lists;
      occupied_[level] |= std::uint64_t{1} << index;
      head = static_cast<std::uint32_t>(level * lists + index);
    }
    append(head, slot);
  }
  void append(std::uint32_t head, std::uint32_t slot) noexcept {
    const std::uint32_t last = records_[head].first;
    records_[slot].set(last, head);
    records_[last].second = slot;
    records_[head].first = slot;
  }
  struct Place {
    unsigned level;       ///< `levels` for what is beyond them all
    std::uint64_t begin;  ///< the list's first tick
  };
  Place first_list() noexcept;
  std::uint32_t head_of(const Place& place) const noexcept {
    return static_cast<std::uint32_t>(place.level * lists +
                                      (place.begin >> (place.level * level_bits)) % lists);
  }
  void advance(std::uint64_t horizon) noexcept;
  /// Empties a list.  Returns its first slot; `second` leads from each to the next, the last one's
  /// to `nowhere`.
  std::uint32_t take_list(std::uint32_t head) noexcept;
  void bring_down(std::uint32_t head) noexcept;
  TimePoint earliest_far() noexcept;

  // ---- Before the horizon -----------------------------------------------------------------------

  /// Returns the first slot before the horizon, or nowhere.
  std::uint32_t first_near() const noexcept {
    const std::uint32_t slot = size_ == 0 ? sorted : records_[sorted].second;
    if (heap_size_ == 0) [[likely]]
      return slot == sorted ? nowhere : slot;
    const std::uint32_t top = entry(root).slot;
    return slot == sorted || before(top, slot) ? top : slot;
  }
  bool before(std::uint32_t a, std::uint32_t b) const noexcept {
    const Record& x = records_[a];
    const Record& y = records_[b];
    return x.deadline != y.deadline ? x.deadline < y.deadline : x.sequence < y.sequence;
  }
  /// Does a list fall into so few ordered chains that merging them is worth it?  Requires: not
  /// empty.
  bool has_few_chains(std::uint32_t head) const noexcept;
  std::uint32_t merge(std::uint32_t a, std::uint32_t b) noexcept;
  std::uint32_t sort(std::uint32_t slot) noexcept;

  struct Entry {
    TimePoint deadline{};
    std::uint32_t slot = 0;
  };
  // Siblings share a cache line: the root is placed so that children begin at multiples of four.
  static constexpr std::size_t arity = 4;
  struct alignas(arity * sizeof(Entry)) Siblings {
    std::array<Entry, arity> entries;
  };
  static constexpr std::size_t root = 3;
  static constexpr std::size_t parent_of(std::size_t place) noexcept { return place / arity + 2; }
  static constexpr std::size_t first_child_of(std::size_t place) noexcept {
    return arity * (place - 2);
  }

  Entry& entry(std::size_t place) noexcept {
    return siblings_[place / arity].entries[place % arity];
  }
  const Entry& entry(std::size_t place) const noexcept {
    return siblings_[place / arity].entries[place % arity];
  }
  std::size_t end() const noexcept { return root + heap_size_; }

  bool before(const Entry& a, const Entry& b) const noexcept {
    if (a.deadline != b.deadline) return a.deadline < b.deadline;
    return records_[a.slot].sequence < records_[b.slot].sequence;
  }
  void put(std::size_t place, const Entry& moved) noexcept {
    entry(place) = moved;
    records_[moved.slot].set(static_cast<std::uint32_t>(place), in_heap);
  }
  void push(std::uint32_t slot) noexcept {
    const std::size_t last = end();
    ++heap_size_;
    sift_up(last, {records_[slot].deadline, slot});
  }
  void remove(std::size_t hole) noexcept {
    --heap_size_;
    if (hole == end()) return;
    const Entry last = entry(end());
    if (hole > root && before(last, entry(parent_of(hole)))) {
      sift_up(hole, last);
    } else {
      sift_down(hole, last);
    }
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

  std::vector<Record> records_;
  std::uint32_t free_slot_ = nowhere;
  std::size_t size_ = 0;  ///< in the heap and in the wheel
  std::uint64_t next_sequence_ = 1;

  std::vector<Siblings> siblings_;
  std::size_t heap_size_ = 0;

  /// Ticks before it are in the sorted list or in the heap, others in the wheel.
  std::uint64_t horizon_ = tick_of(TimePoint{});
  std::array<std::uint64_t, levels> occupied_{};  ///< bit n: list n may have something
  TimePoint far_earliest_ = TimePoint::max();     ///< what earliest_far() has found, or unknown

  std::vector<std::uint32_t> aside_;
};

}  // namespace asyncio::detail

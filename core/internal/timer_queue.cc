#include <asyncio/core/internal/timer_queue.h>

#include <algorithm>

namespace asyncio::detail {
namespace {

// Of a longer list the earliest deadline is not looked for: the loop wakes when its time begins.
constexpr int longest_search = 64;

}  // namespace

// Room for each slot in the heap, too, so that nothing but this can fail.
void TimerQueue::grow() {
  const std::size_t old = records_.empty() ? std::size_t{heads} : records_.size();
  const std::size_t more = records_.empty() ? std::size_t{heads} + 15 : old * 2;
  siblings_.resize((root + more) / arity + 1);
  records_.resize(more);
  if (old == heads) {
    for (std::uint32_t head = 0; head < heads; ++head) records_[head].set(head, head);
  }
  for (std::size_t i = more; i-- > old;) {  // so that the lowest is taken first
    records_[i].set(free_slot_, nowhere);
    free_slot_ = static_cast<std::uint32_t>(i);
  }
}

void TimerQueue::bring_back() noexcept {
  for (const std::uint32_t slot : aside_) {
    if (slot != nowhere) enter(slot);
  }
  aside_.clear();
}

// The list that comes first in time.  In each level those behind the horizon are empty, and so is,
// above the lowest level, the one it is in.
TimerQueue::Place TimerQueue::first_list() noexcept {
  for (unsigned level = 0; level < levels; ++level) {
    const unsigned shift = level * level_bits;
    const std::uint64_t here = (horizon_ >> shift) % lists;
    while (const std::uint64_t ahead = occupied_[level] >> here) {
      const std::uint64_t index = here + static_cast<unsigned>(std::countr_zero(ahead));
      const std::uint64_t round = horizon_ >> shift >> level_bits;
      const Place place{level, (round * lists + index) << shift};
      if (records_[head_of(place)].second != head_of(place)) return place;
      occupied_[level] &= ~(std::uint64_t{1} << index);  // all of it has been disarmed
    }
  }
  constexpr unsigned shift = levels * level_bits;
  return {levels, ((horizon_ >> shift) + 1) << shift};
}

// Each of a list goes where it belongs now.
void TimerQueue::bring_down(std::uint32_t head) noexcept {
  std::uint32_t slot = records_[head].second;
  if (slot == head) return;
  records_[records_[head].first].second = nowhere;
  records_[head].set(head, head);
  while (slot != nowhere) {
    const std::uint32_t next = records_[slot].second;
    const std::uint64_t tick = tick_of(records_[slot].deadline);
    if (tick < horizon_) {
      push(slot);
    } else {
      link(slot, tick);
    }
    slot = next;
  }
}

void TimerQueue::advance(std::uint64_t horizon) noexcept {
  far_earliest_ = unknown;
  if (size_ == near_size_) {
    horizon_ = horizon;
    return;
  }
  const std::uint64_t old = horizon_;
  for (;;) {
    const Place first = first_list();
    // One that only begins at the new horizon has to come down as well, if it is longer than a tick.
    if (first.level == levels || first.begin + (first.level == 0 ? 1 : 0) > horizon) break;
    horizon_ = first.level == 0 ? first.begin + 1 : first.begin;
    bring_down(head_of(first));
  }
  horizon_ = horizon;
  if (((old ^ horizon) >> (levels * level_bits)) != 0) bring_down(beyond);
}

TimePoint TimerQueue::earliest_far() noexcept {
  if (far_earliest_ != unknown) return far_earliest_;
  const Place first = first_list();
  const std::uint32_t head = first.level == levels ? beyond : head_of(first);
  TimePoint found = TimePoint::max();
  int left = longest_search;
  for (std::uint32_t slot = records_[head].second; slot != head; slot = records_[slot].second) {
    if (left-- == 0) {
      found = begin_of(first.begin);
      break;
    }
    found = std::min(found, records_[slot].deadline);
  }
  return far_earliest_ = found;
}

}  // namespace asyncio::detail

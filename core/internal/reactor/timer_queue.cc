#include <asyncio/core/internal/reactor/timer_queue.h>

#include <algorithm>
#include <utility>

namespace asyncio::detail {
namespace {

// In a longer list, the earliest deadline is not searched for: the loop wakes when the list's time
// begins.
constexpr int longest_search = 64;

// A list that falls into more chains goes into the heap: merging very many scattered links takes
// longer than that, and all at once, before the first of them can fire.
constexpr int most_chains = 64;

}  // namespace

// Makes room for each slot in the heap too, so that nothing else can fail.
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

// Returns the list that comes first in time.  In each level, the lists behind the horizon are
// empty.  Above the lowest level, the list that the horizon is in is empty too.
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

std::uint32_t TimerQueue::take_list(std::uint32_t head) noexcept {
  const std::uint32_t slot = records_[head].second;
  if (slot == head) return nowhere;
  records_[records_[head].first].second = nowhere;
  records_[head].set(head, head);
  return slot;
}

// Moves each timer of a list to where it belongs now.
void TimerQueue::bring_down(std::uint32_t head) noexcept {
  for (std::uint32_t slot = take_list(head); slot != nowhere;) {
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

bool TimerQueue::has_few_chains(std::uint32_t head) const noexcept {
  int chains = 1;
  std::uint32_t slot = records_[head].second;
  for (std::uint32_t next = records_[slot].second; next != head; next = records_[slot].second) {
    if (before(next, slot) && ++chains > most_chains) return false;
    slot = next;
  }
  return true;
}

// Makes one sorted chain of two.  Of equal deadlines, those in `a` were armed first.
std::uint32_t TimerQueue::merge(std::uint32_t a, std::uint32_t b) noexcept {
  std::uint32_t merged = nowhere;
  std::uint32_t* link = &merged;
  while (a != nowhere && b != nowhere) {
    std::uint32_t& first = before(b, a) ? b : a;
    *link = first;
    link = &records_[first].second;
    first = *link;
  }
  *link = a != nowhere ? a : b;
  return merged;
}

// A natural merge sort, because timers of one length are in order already.
std::uint32_t TimerQueue::sort(std::uint32_t slot) noexcept {
  // Place n holds nothing, or a chain merged from 2^n chains; there are fewer slots than 2^32.
  std::array<std::uint32_t, 32> chains;
  chains.fill(nowhere);
  while (slot != nowhere) {
    std::uint32_t chain = slot;
    std::uint32_t last = slot;
    for (slot = records_[last].second; slot != nowhere && before(last, slot);) {
      last = slot;
      slot = records_[last].second;
    }
    records_[last].second = nowhere;
    std::size_t place = 0;
    for (; chains[place] != nowhere; ++place) {
      chain = merge(std::exchange(chains[place], nowhere), chain);
    }
    chains[place] = chain;
  }
  std::uint32_t sorted_chain = nowhere;
  for (const std::uint32_t chain : chains) sorted_chain = merge(chain, sorted_chain);
  return sorted_chain;
}

void TimerQueue::advance(std::uint64_t horizon) noexcept {
  far_earliest_ = unknown;
  const std::uint64_t old = horizon_;
  while (size_ != 0) {
    const Place first = first_list();
    // A list that only begins at the new horizon has to come down as well, if it spans more than a
    // tick.
    if (first.level == levels || first.begin + (first.level == 0 ? 1 : 0) > horizon) break;
    horizon_ = first.level == 0 ? first.begin + 1 : first.begin;
    const std::uint32_t head = head_of(first);
    if (first.level == 0 && has_few_chains(head)) {
      for (std::uint32_t slot = sort(take_list(head)); slot != nowhere;) {
        append(sorted, std::exchange(slot, records_[slot].second));
      }
    } else {
      bring_down(head);
    }
  }
  horizon_ = horizon;
  if (size_ != 0 && ((old ^ horizon) >> (levels * level_bits)) != 0) bring_down(beyond);
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

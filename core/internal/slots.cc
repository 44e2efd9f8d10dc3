#include <asyncio/core/internal/slots.h>

#include <utility>

namespace asyncio::detail {

LoopSlotValue& LoopSlots::get(const void* key, std::unique_ptr<LoopSlotValue> (*make)()) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) return *found->second;
  std::unique_ptr<LoopSlotValue> made = make();
  LoopSlotValue& value = *made;
  in_order_.emplace_back(key, std::move(made));
  by_key_.emplace(key, &value);
  return value;
}

void LoopSlots::clear() noexcept {
  while (!in_order_.empty()) {
    // Out of the lists first: its destructor may come back here.
    const auto [key, value] = std::move(in_order_.back());
    in_order_.pop_back();
    by_key_.erase(key);
  }
}

}  // namespace asyncio::detail

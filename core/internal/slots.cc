#include <asyncio/core/internal/slots.h>

#include <utility>

namespace asyncio::detail {

LoopSlotValue& LoopSlots::get(const void* key, std::unique_ptr<LoopSlotValue> (*make)()) {
  if (const auto found = by_key_.find(key); found != by_key_.end()) return *found->second;
  std::unique_ptr<LoopSlotValue> made = make();
  LoopSlotValue& value = *made;
  in_order_.push_back(std::move(made));
  by_key_.emplace(key, &value);
  return value;
}

void LoopSlots::clear() noexcept {
  // Out of the lists first: a destructor may come back here, for a new value.
  by_key_.clear();
  auto dropped = std::exchange(in_order_, {});
  while (!dropped.empty()) dropped.pop_back();
}

}  // namespace asyncio::detail

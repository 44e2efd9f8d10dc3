// One value of a type for the whole loop: what LoopSlot keeps.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include <asyncio/core/lowlevel/loop.h>

namespace asyncio::detail {

class LoopSlots {
 public:
  LoopSlots() = default;
  ~LoopSlots() { clear(); }
  LoopSlots(const LoopSlots&) = delete;
  LoopSlots& operator=(const LoopSlots&) = delete;

  LoopSlotValue& get(const void* key, std::unique_ptr<LoopSlotValue> (*make)());
  /// Destroys every value, the last one made first.  A destructor may ask for values again.
  void clear() noexcept;

 private:
  std::unordered_map<const void*, LoopSlotValue*> by_key_;
  std::vector<std::unique_ptr<LoopSlotValue>> in_order_;
};

}  // namespace asyncio::detail

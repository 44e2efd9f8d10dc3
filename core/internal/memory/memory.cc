#include <asyncio/core/internal/memory/memory.h>

#include <algorithm>

#include <asyncio/core/internal/fiber/sanitizers.h>
#include <asyncio/core/internal/memory/block_pool.h>

namespace asyncio::detail {
namespace {

constexpr std::size_t kib = 1024;

// With an odd multiple of 16 KiB from one stack to the next (see stack_colour() where tasks are
// made), which such a guard gives stacks of every size that is a power of two.
constexpr std::size_t usual_guard = 80 * kib;

StackSize usual_size(StackSize asked) noexcept {
  if (asked.usable == 0) asked.usable = under_asan || under_tsan ? 512 * kib : 256 * kib;
  if (asked.guard == 0) asked.guard = usual_guard;
  return asked;
}

}  // namespace

Memory::Memory(StackSize usual) {
  auto pool = std::make_unique<StackPool>(usual_size(usual));
  usual_ = pool.get();
  pools_.emplace(std::pair{pool->usable_size(), pool->guard_size()}, std::move(pool));
}

StackPool& Memory::unusual_stacks_of(StackSize size) {
  // What a task needs to start and to report its own failure; less would overflow at once.
  constexpr std::size_t smallest = 16 * kib;
  size.usable = size.usable == 0 ? usual_->usable_size()
                                 : whole_pages(std::max(size.usable, smallest), "stack_size");
  size.guard = size.guard == 0 ? usual_->guard_size() : whole_pages(size.guard, "guard_size");
  const std::pair key{size.usable, size.guard};
  const auto found = pools_.find(key);
  if (found != pools_.end()) return *found->second;
  return *pools_.emplace(key, std::make_unique<StackPool>(size)).first->second;
}

bool Memory::may_be_trimmed() const noexcept {
  if (next_trim_ != TimePoint::max()) return true;
  const BlockPool* const blocks = BlockPool::of_this_thread();
  return (blocks != nullptr && blocks->free_count() > BlockPool::keep_warm) ||
         std::any_of(pools_.begin(), pools_.end(), [](const auto& pool) {
           return pool.second->free_count() > StackPool::keep_warm;
         });
}

TimePoint Memory::trim(TimePoint now) noexcept {
  if (next_trim_ != TimePoint::max() && now < next_trim_) return next_trim_;
  next_trim_ = TimePoint::max();
  for (auto& [size, pool] : pools_) {
    if (const auto next = pool->trim(now)) next_trim_ = std::min(next_trim_, *next);
  }
  if (BlockPool* const blocks = BlockPool::of_this_thread(); blocks != nullptr) {
    if (const auto next = blocks->trim(now)) next_trim_ = std::min(next_trim_, *next);
  }
  return next_trim_;
}

void Memory::leak_stacks() noexcept {
  for (auto& [size, pool] : pools_) pool->leak();
}

std::size_t Memory::sum(std::size_t (StackPool::*figure)() const noexcept) const noexcept {
  std::size_t total = 0;
  for (const auto& [size, pool] : pools_) total += ((*pool).*figure)();
  return total;
}

}  // namespace asyncio::detail

#include <asyncio/core/internal/memory/memory.h>

#include <algorithm>

#include <asyncio/core/internal/fiber/sanitizers.h>
#include <asyncio/core/internal/memory/block_pool.h>

namespace asyncio::detail {
namespace {

constexpr std::size_t kib = 1024;

std::size_t usual_size(std::size_t asked) noexcept {
  if (asked != 0) return asked;
  return under_asan || under_tsan ? 512 * kib : 256 * kib;
}

}  // namespace

Memory::Memory(std::size_t stack_size) {
  auto pool = std::make_unique<StackPool>(usual_size(stack_size));
  usual_ = pool.get();
  pools_.emplace(pool->usable_size(), std::move(pool));
}

StackPool& Memory::unusual_stacks_of(std::size_t usable_size) {
  // What a task needs to start and to report its own failure; less would overflow at once.
  constexpr std::size_t smallest = 16 * kib;
  const std::size_t size = whole_pages(std::max(usable_size, smallest));
  std::unique_ptr<StackPool>& pool = pools_[size];
  if (pool == nullptr) pool = std::make_unique<StackPool>(size);
  return *pool;
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

// Stacks of one size: cut from large slabs, guarded, pooled, the warmest reused first, trimmed when
// idle.
//
// Why slabs: one mapping holds many stacks, so a million tasks fit under vm.max_map_count.  Why
// MADV_GUARD_INSTALL: it marks page-table entries instead of splitting the mapping.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/internal/memory/idle_watch.h>
#include <asyncio/core/time.h>

namespace asyncio::detail {

/// How the guard below a stack is made to fault.
enum class StackGuard : std::uint8_t {
  madvise,   ///< MADV_GUARD_INSTALL, Linux 6.13
  mprotect,  ///< two mappings per stack, until half of vm.max_map_count is used
  none,      ///< neither is available: no guard, after one warning
};

/// Returns the best guard that this system offers, found out once.
StackGuard best_stack_guard() noexcept;

/// `size` rounded up to pages; at least one.
/// Throws: Error, which names the `option`, for a size that no address space can hold.
std::size_t whole_pages(std::size_t size, const char* option);

class StackPool {
 public:
  /// Both parts of `size` are rounded up by whole_pages().
  explicit StackPool(StackSize size, StackGuard guard = best_stack_guard());
  ~StackPool();
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;

  std::size_t usable_size() const noexcept { return size_; }
  std::size_t guard_size() const noexcept { return guard_size_; }

  /// Returns the top (exclusive) of a stack that is the caller's until given back.
  /// Throws: Error when out of address space.
  /// Cost: a pop; when the pool is empty, the mapping of a slab and a guard.
  std::byte* acquire() {
    if (free_count_ == 0) [[unlikely]]
      grow();
    std::byte* const top = free_[--free_count_];
    if (free_count_ < clean_) clean_ = free_count_;
    watch_.taken(free_count_);
    return top;
  }

  /// Takes a stack back.  Its memory is not touched, so the caller may still be running on it.
  void release(std::byte* top) noexcept { free_[free_count_++] = top; }

  /// Gives the memory of stacks that were not needed lately back to the system, one batch per call.
  /// Returns when to call again, or nullopt if nothing is left to trim.
  std::optional<TimePoint> trim(TimePoint now) noexcept;

  std::size_t total() const noexcept { return total_; }
  std::size_t free_count() const noexcept { return free_count_; }
  std::size_t guarded() const noexcept { return guarded_; }

  /// Leaks every slab: a task that refuses to end still lives on one of them.
  void leak() noexcept { slabs_.clear(); }

  /// Stacks that stay warm however long they idle.
  static constexpr std::size_t keep_warm = 256;

 private:
  struct Slab {
    std::byte* base;
    std::size_t bytes;
    std::vector<unsigned> valgrind_ids;
  };

  void grow();
  bool install_guard(std::byte* at) noexcept;

  std::size_t size_;
  std::size_t guard_size_;
  std::size_t stride_;
  StackGuard guard_;
  std::size_t next_slab_ = 4;  ///< stacks in the next slab; doubles
  std::vector<Slab> slabs_;
  std::vector<std::byte*> free_;  ///< has room for all there are
  std::size_t free_count_ = 0;    ///< the last of these was used last, so it is the warmest
  std::size_t clean_ = 0;         ///< the first of these, and they hold no memory
  IdleWatch watch_;
  std::size_t total_ = 0;
  std::size_t guarded_ = 0;
};

/// Bytes of the stack below `top` that have ever been touched, to whole pages.
std::size_t touched_stack(std::byte* top, std::size_t size) noexcept;

}  // namespace asyncio::detail

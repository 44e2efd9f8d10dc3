// The memory of a loop's tasks: stacks of each size, and the control blocks of the thread.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <utility>

#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/internal/memory/stack_pool.h>
#include <asyncio/core/time.h>

namespace asyncio::detail {

class Memory {
 public:
  /// `usual` is the size of a usual stack; 0 means what suits the build.
  explicit Memory(StackSize usual);
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  /// Returns the pool of stacks of this size; 0 means the usual ones.
  /// Throws: Error for a size that no address space can hold.
  StackPool& stacks_of(StackSize size) {
    const bool usual = (size.usable == 0 || size.usable == usual_->usable_size()) &&
                       (size.guard == 0 || size.guard == usual_->guard_size());
    return usual ? *usual_ : unusual_stacks_of(size);
  }

  /// May there be memory that nobody needs?
  bool may_be_trimmed() const noexcept;
  /// Gives back memory that was not needed lately, one batch per call.
  /// Returns when to call again; TimePoint::max() if nothing is left to trim.
  TimePoint trim(TimePoint now) noexcept;

  /// Leaks every stack: a task that refuses to end still lives on one of them.
  void leak_stacks() noexcept;

  std::size_t stacks() const noexcept { return sum(&StackPool::total); }
  std::size_t free_stacks() const noexcept { return sum(&StackPool::free_count); }
  std::size_t guarded_stacks() const noexcept { return sum(&StackPool::guarded); }

 private:
  std::size_t sum(std::size_t (StackPool::*figure)() const noexcept) const noexcept;

  StackPool& unusual_stacks_of(StackSize size);

  std::map<std::pair<std::size_t, std::size_t>, std::unique_ptr<StackPool>> pools_;
  StackPool* usual_;
  TimePoint next_trim_ = TimePoint::max();
};

}  // namespace asyncio::detail

// The memory of control blocks: whole cache lines side by side, the warmest reused first.
//
// Two blocks on one line would slow each other down, an unaligned block would touch one more line
// at every switch, and gaps between blocks cost as much as longer blocks.  So blocks are cut from
// slabs.  Each thread keeps what it frees: a burst of tasks that comes again finds its memory
// mapped.  What is idle is given back, as with stacks.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include <asyncio/core/internal/memory/idle_watch.h>
#include <asyncio/core/time.h>

namespace asyncio::detail {

class BlockPool {
 public:
  static constexpr std::size_t line = 64;
  /// The pool has no larger blocks.
  static constexpr std::size_t largest = 1024;
  /// Blocks that stay however long they idle.
  static constexpr std::size_t keep_warm = 256;

  /// Null before the thread's first make(), once the thread's variables are being destroyed, and
  /// under a tool that looks for memory errors, which must see each block come and go.
  static BlockPool* of_this_thread() noexcept { return pool_of_thread; }
  /// Returns this thread's pool, made if need be.  Null if there can be none, or none any more.
  /// Throws: std::bad_alloc.
  static BlockPool* make();

  /// Between these two, somebody calls trim() on this thread's pool now and then.
  static void begin_trimming() noexcept { ++trimmers; }
  static void end_trimming() noexcept { --trimmers; }
  static bool is_trimmed() noexcept { return trimmers != 0; }

  BlockPool() = default;
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  /// Returns a block of at least `size` bytes; `size` is at most `largest`.
  /// Throws: std::bad_alloc.
  void* acquire(std::size_t size) {
    FreeList& list = free_[index_of(size)];
    if (list.count == 0) [[unlikely]]
      return cut(size);
    void* const block = list.blocks[--list.count];
    watch_.taken(--count_);
    if (list.count != 0) prefetch(list.blocks[list.count - 1], size);
    return block;
  }

  /// Takes back a block that acquire(size) returned, in this thread or another one.  Keeps no more
  /// blocks than this pool had to cut itself: in a thread where other threads' tasks only end,
  /// their memory must not pile up.
  void release(void* block, std::size_t size) noexcept {
    FreeList& list = free_[index_of(size)];
    if (count_ >= most_ || (list.count == list.room && !list.grow())) [[unlikely]]
      return give_back(block);
    list.blocks[list.count++] = block;
    ++count_;
  }

  /// Returns a block that is alone in its slab and needs no pool.  Throws: std::bad_alloc.
  static void* allocate_alone(std::size_t size);
  /// Takes back any block, past every pool.  Threads: any.
  [[gnu::noinline]] static void give_back(void* block) noexcept;

  std::size_t free_count() const noexcept { return count_; }
  /// Gives back all but `keep`.
  void shrink(std::size_t keep) noexcept { give_back(keep, count_); }
  /// As StackPool::trim().
  std::optional<TimePoint> trim(TimePoint now) noexcept;

 private:
  struct Slab;
  /// Free blocks of one size.  The last was used last, so it is the warmest.
  struct FreeList {
    [[gnu::noinline]] bool grow() noexcept;
    std::unique_ptr<void*[]> blocks;
    std::size_t count = 0;
    std::size_t room = 0;
  };
  [[gnu::tls_model("initial-exec")]] static constinit thread_local BlockPool* pool_of_thread;
  [[gnu::tls_model("initial-exec")]] static constinit thread_local unsigned trimmers;

  static std::size_t index_of(std::size_t size) noexcept { return (size - 1) / line; }
  static std::size_t whole_lines(std::size_t size) noexcept { return (index_of(size) + 1) * line; }
  static void prefetch(const void* block, std::size_t size) noexcept {
    for (std::size_t at = 0; at < size; at += line) {
      __builtin_prefetch(static_cast<const std::byte*>(block) + at, 1);
    }
  }
  [[gnu::noinline]] void* cut(std::size_t size);
  void leave_slab() noexcept;
  void give_back(std::size_t keep, std::size_t most) noexcept;

  std::array<FreeList, largest / line> free_;
  std::size_t count_ = 0;
  IdleWatch watch_;
  std::size_t most_ = keep_warm;  // as many as were cut and not given back, and some more
  Slab* slab_ = nullptr;          // the one that blocks are cut from
  std::size_t used_ = 0;          // bytes of it
  std::uint32_t cut_ = 0;         // blocks of it
};

}  // namespace asyncio::detail

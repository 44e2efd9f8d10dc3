#include <asyncio/core/internal/memory/block_pool.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <new>

#ifdef ASYNCIO_HAVE_VALGRIND
#include <valgrind/valgrind.h>
#endif

#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/internal/fiber/sanitizers.h>

namespace asyncio::detail {
namespace {

constexpr std::size_t trim_batch = 1024;  // blocks given back in one call: bounds its time

// A slab begins at a multiple of its size, so a block finds it.
constexpr std::size_t slab_size = std::size_t{64} * 1024;

// Is somebody looking for errors in memory?  The same for the whole process.
bool is_watched() noexcept {
#ifdef ASYNCIO_HAVE_VALGRIND
  return under_asan || under_tsan || RUNNING_ON_VALGRIND != 0;
#else
  return under_asan || under_tsan;
#endif
}

bool fits(std::size_t size, std::align_val_t alignment) noexcept {
  return size <= BlockPool::largest && static_cast<std::size_t>(alignment) <= BlockPool::line;
}

constinit thread_local bool pool_is_gone = false;

}  // namespace

// Freed when its last block is given back.
struct BlockPool::Slab {
  // The count while blocks are cut from it: more than there can ever be.
  static constexpr std::uint32_t being_cut = slab_size / line;

  explicit Slab(std::uint32_t blocks) noexcept : left(blocks) {}
  static Slab* make(std::size_t size, std::uint32_t blocks) {
    return ::new (::operator new (size, std::align_val_t{slab_size})) Slab{blocks};
  }
  static Slab& of(void* block) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(block);
    return *reinterpret_cast<Slab*>(address & ~(slab_size - 1));
  }
  std::byte* begin() noexcept { return reinterpret_cast<std::byte*>(this); }
  void drop(std::uint32_t blocks) noexcept {
    if (left.fetch_sub(blocks, std::memory_order_acq_rel) == blocks) {
      ::operator delete (this, std::align_val_t{slab_size});
    }
  }

  std::atomic<std::uint32_t> left;
};

constinit thread_local BlockPool* BlockPool::pool_of_thread = nullptr;
constinit thread_local unsigned BlockPool::trimmers = 0;

BlockPool* BlockPool::make() {
  if (pool_is_gone || is_watched()) return nullptr;
  struct Owner {
    Owner() { pool_of_thread = pool.get(); }
    ~Owner() {
      pool_of_thread = nullptr;
      pool_is_gone = true;
    }
    Owner(const Owner&) = delete;
    Owner& operator=(const Owner&) = delete;
    std::unique_ptr<BlockPool> pool = std::make_unique<BlockPool>();
  };
  thread_local const Owner owner;
  return owner.pool.get();
}

BlockPool::~BlockPool() {
  shrink(0);
  leave_slab();
}

void* BlockPool::cut(std::size_t size) {
  const std::size_t whole = whole_lines(size);
  if (slab_ == nullptr || used_ + whole > slab_size) {
    Slab* const fresh = Slab::make(slab_size, Slab::being_cut);
    leave_slab();
    slab_ = fresh;
    used_ = line;
    cut_ = 0;
  }
  void* const block = slab_->begin() + used_;
  used_ += whole;
  ++cut_;
  ++most_;
  return block;
}

void BlockPool::leave_slab() noexcept {
  if (slab_ != nullptr) slab_->drop(Slab::being_cut - cut_);
}

void* BlockPool::allocate_alone(std::size_t size) {
  return Slab::make(line + whole_lines(size), 1)->begin() + line;
}

void BlockPool::give_back(void* block) noexcept { Slab::of(block).drop(1); }

bool BlockPool::FreeList::grow() noexcept {
  const std::size_t wanted = std::max(room * 2, keep_warm);
  void** const larger = new (std::nothrow) void*[wanted];
  if (larger == nullptr) return false;
  std::copy_n(blocks.get(), count, larger);
  blocks.reset(larger);
  room = wanted;
  return true;
}

void BlockPool::give_back(std::size_t keep, std::size_t most) noexcept {
  for (FreeList& list : free_) {
    for (; list.count != 0 && count_ > keep && most != 0; --count_, --most) {
      give_back(list.blocks[--list.count]);
      most_ = std::max(most_ - 1, keep_warm);
    }
  }
}

std::optional<TimePoint> BlockPool::trim(TimePoint now) noexcept {
  if (count_ <= keep_warm) {
    watch_.stop();
    return std::nullopt;
  }
  if (!watch_.period_is_over(now, count_)) return watch_.period_end();
  const std::size_t idle = std::min(watch_.idle(), count_ - keep_warm);
  give_back(count_ - idle, trim_batch);
  if (idle > trim_batch) {
    watch_.taken(idle - trim_batch);
    return now + IdleWatch::pause;
  }
  if (count_ <= keep_warm) {
    watch_.stop();
    return std::nullopt;
  }
  watch_.restart(now, count_);
  return watch_.period_end();
}

namespace {

[[gnu::noinline]] void* new_past_pool(std::size_t size, std::align_val_t alignment) {
  if (is_watched() || !fits(size, alignment)) return ::operator new(size, alignment);
  BlockPool* const pool = BlockPool::make();
  return pool != nullptr ? pool->acquire(size) : BlockPool::allocate_alone(size);
}

[[gnu::noinline]] void delete_past_pool(void* block, std::size_t size,
                                        std::align_val_t alignment) noexcept {
  if (is_watched() || !fits(size, alignment)) return ::operator delete(block, alignment);
  BlockPool::give_back(block);
}

}  // namespace

void* TaskControl::operator new(std::size_t size, std::align_val_t alignment) {
  BlockPool* const pool = BlockPool::of_this_thread();
  if (pool == nullptr || !fits(size, alignment)) [[unlikely]]
    return new_past_pool(size, alignment);
  return pool->acquire(size);
}

void TaskControl::operator delete(void* memory, std::size_t size,
                                  std::align_val_t alignment) noexcept {
  BlockPool* const pool = BlockPool::of_this_thread();
  // While no loop runs, nothing would ever trim what the thread keeps.
  if (pool == nullptr || !fits(size, alignment) ||
      (!BlockPool::is_trimmed() && pool->free_count() >= BlockPool::keep_warm)) [[unlikely]]
    return delete_past_pool(memory, size, alignment);
  pool->release(memory, size);
}

}  // namespace asyncio::detail

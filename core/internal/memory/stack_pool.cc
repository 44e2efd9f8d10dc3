#include <asyncio/core/internal/memory/stack_pool.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

#include <asyncio/core/errors.h>
#include <asyncio/core/internal/fiber/fiber.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

namespace asyncio::detail {
namespace {

constexpr std::size_t largest_slab = 1024;  // stacks
constexpr std::size_t trim_batch = 256;     // stacks given back in one call: bounds its time

std::size_t page_size() noexcept { return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)); }

// Each mprotect guard splits a mapping in two.  Half of the limit is left to the rest of the
// process.
std::size_t mprotect_guard_limit() {
  constinit static std::atomic<std::size_t> known{0};
  if (known == 0) {
    std::size_t maps = 65530;
    std::ifstream{"/proc/sys/vm/max_map_count"} >> maps;
    known = std::max<std::size_t>(maps / 4, 1);
  }
  return known;
}
std::atomic<std::size_t> mprotect_guards{0};

void warn_unguarded_once(const char* why) noexcept {
  static std::atomic<bool> warned{false};
  if (warned.exchange(true)) return;
  std::fprintf(stderr,
               "asyncio: further task stacks have no guard (%s): an overflow there would "
               "corrupt memory silently. Raise vm.max_map_count or run fewer tasks.\n",
               why);
}

StackGuard find_best_guard() noexcept {
  void* probe = ::mmap(nullptr, page_size(), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (probe == MAP_FAILED) return StackGuard::mprotect;
  const bool works = ::madvise(probe, page_size(), MADV_GUARD_INSTALL) == 0;
  ::munmap(probe, page_size());
  return works ? StackGuard::madvise : StackGuard::mprotect;
}

}  // namespace

StackGuard best_stack_guard() noexcept {
  constinit static std::atomic<bool> known{false};
  constinit static std::atomic<StackGuard> best{StackGuard::none};
  if (!known) {
    best = find_best_guard();
    known = true;
  }
  return best;
}

std::size_t whole_pages(std::size_t size, const char* option) {
  constexpr std::size_t largest = std::size_t{1} << 46;  // and a slab of them is no overflow
  if (size > largest) {
    throw Error("a " + std::string{option} + " of " + std::to_string(size) +
                " bytes exceeds the address space: choose a smaller one");
  }
  return std::max((size + page_size() - 1) / page_size(), std::size_t{1}) * page_size();
}

StackPool::StackPool(StackSize size, StackGuard guard)
    : size_(whole_pages(size.usable, "stack_size")),
      guard_size_(whole_pages(size.guard, "guard_size")),
      stride_(size_ + guard_size_),
      guard_(guard) {}

StackPool::~StackPool() {
  for (Slab& slab : slabs_) {
    for (const unsigned id : slab.valgrind_ids) unregister_stack_memory(id);
    recycle_stack_memory(slab.base, slab.bytes);
    ::munmap(slab.base, slab.bytes);
  }
  if (guard_ == StackGuard::mprotect) mprotect_guards -= guarded_;
}

bool StackPool::install_guard(std::byte* at) noexcept {
  switch (guard_) {
    case StackGuard::madvise:
      if (::madvise(at, guard_size_, MADV_GUARD_INSTALL) == 0) return true;
      warn_unguarded_once("MADV_GUARD_INSTALL failed");
      return false;
    case StackGuard::mprotect:
      if (mprotect_guards.fetch_add(1) < mprotect_guard_limit() &&
          ::mprotect(at, guard_size_, PROT_NONE) == 0) {
        return true;
      }
      --mprotect_guards;
      warn_unguarded_once("vm.max_map_count leaves no room for more");
      return false;
    case StackGuard::none:
      warn_unguarded_once("this system offers none");
      return false;
  }
  return false;
}

void StackPool::grow() {
  std::size_t count = next_slab_;
  void* memory = MAP_FAILED;
  for (;; count /= 2) {
    memory = ::mmap(nullptr, count * stride_, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED || count == 1) break;
  }
  if (memory == MAP_FAILED) {
    throw Error("out of stacks: create_task could not map " + std::to_string(stride_) +
                " bytes for a stack while " + std::to_string(total_) + " of that size exist (" +
                std::strerror(errno) +
                "); run fewer tasks at once, make stack_size smaller, or raise the limit on "
                "address space or vm.max_map_count");
  }
  auto* base = static_cast<std::byte*>(memory);
  try {
    free_.resize(total_ + count);
    Slab slab{base, count * stride_, {}};
#ifdef ASYNCIO_HAVE_VALGRIND
    slab.valgrind_ids.reserve(count);
#endif
    slabs_.push_back(std::move(slab));
  } catch (...) {
    ::munmap(memory, count * stride_);
    throw;
  }
  // One huge page would make the first touch of a stack cost two megabytes.
  ::madvise(memory, count * stride_, MADV_NOHUGEPAGE);
  for (std::size_t i = count; i-- > 0;) {  // so that the lowest is handed out first
    std::byte* bottom = base + i * stride_;
    if (install_guard(bottom)) ++guarded_;
    release(bottom + stride_);
#ifdef ASYNCIO_HAVE_VALGRIND
    slabs_.back().valgrind_ids.push_back(register_stack_memory(bottom + guard_size_, size_));
#endif
  }
  clean_ = free_count_;
  total_ += count;
  next_slab_ = std::min(next_slab_ * 2, largest_slab);
}

std::optional<TimePoint> StackPool::trim(TimePoint now) noexcept {
  const auto warm = [this] { return free_count_ - clean_; };
  if (warm() <= keep_warm) {
    watch_.stop();
    return std::nullopt;
  }
  if (!watch_.period_is_over(now, free_count_)) return watch_.period_end();
  // The coldest were not needed in the whole period, so they may go, except for keep_warm.
  const std::size_t target = watch_.idle() > keep_warm ? watch_.idle() - keep_warm : 0;
  std::size_t budget = trim_batch;
  while (clean_ < target && budget-- > 0) {
    std::byte* top = free_[clean_++];
    recycle_stack_memory(top - size_, size_);
    ::madvise(top - size_, size_, MADV_DONTNEED);
  }
  if (clean_ < target) return now + IdleWatch::pause;
  if (warm() <= keep_warm) {
    watch_.stop();
    return std::nullopt;
  }
  watch_.restart(now, free_count_);
  return watch_.period_end();
}

std::size_t touched_stack(std::byte* top, std::size_t size) noexcept {
  std::vector<unsigned char> resident(size / page_size());
  if (::mincore(top - size, size, resident.data()) != 0) return 0;
  const auto lowest = std::find_if(resident.begin(), resident.end(),
                                   [](unsigned char page) { return (page & 1) != 0; });
  return static_cast<std::size_t>(resident.end() - lowest) * page_size();
}

}  // namespace asyncio::detail

#include <asyncio/io/detail/byte_buffer.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/loop.h>

namespace asyncio::detail {
namespace {

using Memory = std::unique_ptr<std::byte[]>;

Memory allocate(std::size_t size) { return Memory{new std::byte[size]}; }  // not filled with zeros

/// The blocks of a loop that nobody has at the moment: at most 1 MiB.
class Blocks {
 public:
  Memory take() {
    return count_ > 0 ? std::move(idle_[--count_]) : allocate(ByteBuffer::block_size);
  }
  void give(Memory block) noexcept {
    if (count_ < idle_.size()) idle_[count_++] = std::move(block);
  }

 private:
  std::array<Memory, 64> idle_;
  std::size_t count_ = 0;
};

Blocks& blocks_here() {
  static lowlevel::LoopSlot<Blocks> slot;
  return slot.here("ByteBuffer");
}

}  // namespace

std::span<std::byte> ByteBuffer::space(std::size_t at_least) {
  if (empty()) begin_ = end_ = 0;
  const std::size_t needed = size() + at_least;
  if (capacity_ - end_ < at_least && needed <= capacity_) {
    std::memmove(memory_.get(), memory_.get() + begin_, size());
    end_ = size();
    begin_ = 0;
  } else if (capacity_ - end_ < at_least) {
    const std::size_t larger = std::max({needed, 2 * capacity_, block_size});
    Memory memory = larger == block_size ? blocks_here().take() : allocate(larger);
    if (!empty()) std::memcpy(memory.get(), memory_.get() + begin_, size());
    const std::size_t kept = size();
    drop();
    memory_ = std::move(memory);
    capacity_ = larger;
    end_ = kept;
  }
  return {memory_.get() + end_, capacity_ - end_};
}

void ByteBuffer::append(ConstBytes more) {
  if (more.empty()) return;
  std::memcpy(space(more.size()).data(), more.data(), more.size());
  added(more.size());
}

void ByteBuffer::drop() noexcept {
  // Memory is memory: the loop that runs here may have the block, if any does.
  if (capacity_ == block_size && lowlevel::in_task()) blocks_here().give(std::move(memory_));
  memory_.reset();
  capacity_ = begin_ = end_ = 0;
}

}  // namespace asyncio::detail

// Bytes between a stream and whoever reads or writes in other pieces than the stream does.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include <asyncio/io/bytes.h>
#include <asyncio/io/export.h>

namespace asyncio::detail {

/// Bytes that come in at the back and go out at the front.  Its memory is a block that the buffers
/// of a loop share, as long as one is enough, else it is its own.  It has none to begin with.
/// Threads: one at a time, whichever that is.
class ASYNCIO_IO_API ByteBuffer {
 public:
  static constexpr std::size_t block_size = 16384;

  ByteBuffer() = default;
  ~ByteBuffer() { drop(); }
  ByteBuffer(const ByteBuffer&) = delete;
  ByteBuffer& operator=(const ByteBuffer&) = delete;

  bool empty() const noexcept { return begin_ == end_; }
  std::size_t size() const noexcept { return end_ - begin_; }
  /// What is in it, in one piece.
  ConstBytes bytes() const noexcept { return {memory_.get() + begin_, size()}; }

  /// All the room behind what is in it, and at least so much.  What bytes() returned before ends.
  /// Throws: std::bad_alloc, and nothing has changed; NotInTaskError.
  std::span<std::byte> space(std::size_t at_least);
  /// So many bytes of space() have been filled.
  void added(std::size_t count) noexcept { end_ += count; }
  /// Throws: as space().
  void append(ConstBytes more);
  /// Takes so many from the front.  They can be read until the next call of space() or drop().
  void take(std::size_t count) noexcept { begin_ += count; }
  /// Drops all that is in it, and gives the memory back.
  void drop() noexcept;

 private:
  std::unique_ptr<std::byte[]> memory_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace asyncio::detail

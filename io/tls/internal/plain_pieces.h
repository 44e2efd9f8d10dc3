// Text of the user's, cut as it is encrypted.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include <asyncio/io/bytes.h>

namespace asyncio::detail {

/// What is left of the buffers of one write, in pieces of at most a record.
class TlsPlainPieces {
 public:
  static constexpr std::size_t most = 16384;

  explicit TlsPlainPieces(std::span<const ConstBytes> buffers) noexcept : buffers_(buffers) {
    skip_empty();
  }

  bool empty() const noexcept { return buffers_.empty(); }

  /// The next piece.  Each has a record's cost, so what lies in several small buffers is gathered
  /// in `together`.
  ConstBytes next(std::vector<std::byte>& together) const {
    const ConstBytes first = buffers_.front().subspan(offset_);
    if (first.size() >= most || buffers_.size() == 1)
      return first.first(std::min(first.size(), most));
    together.assign(first.begin(), first.end());
    for (const ConstBytes& buffer : buffers_.subspan(1)) {
      const ConstBytes part = buffer.first(std::min(buffer.size(), most - together.size()));
      together.insert(together.end(), part.begin(), part.end());
      if (together.size() == most) break;
    }
    return together;
  }

  void advance(std::size_t bytes) noexcept {
    while (bytes > 0) {
      const std::size_t of_first = std::min(bytes, buffers_.front().size() - offset_);
      offset_ += of_first;
      bytes -= of_first;
      skip_empty();
    }
  }

 private:
  void skip_empty() noexcept {
    while (!buffers_.empty() && offset_ == buffers_.front().size()) {
      buffers_ = buffers_.subspan(1);
      offset_ = 0;
    }
  }

  std::span<const ConstBytes> buffers_;
  std::size_t offset_ = 0;  ///< in the first one
};

}  // namespace asyncio::detail

// Ciphertext on its way to the kernel.
#pragma once

#include <cstddef>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include <asyncio/io/bytes.h>

namespace asyncio::detail {

/// What has been encrypted and not been sent, in two pieces: one that a task may be sending, which
/// stays where it is, and behind it what comes meanwhile.
class TlsOutgoing {
 public:
  std::size_t size() const noexcept { return sending_.size() - begin_ - sent_ + queued_.size(); }
  bool empty() const noexcept { return size() == 0; }

  /// Returns false if there is no memory.
  bool append(std::span<const std::byte> more) noexcept {
    try {
      queued_.insert(queued_.end(), more.begin(), more.end());
      return true;
    } catch (const std::bad_alloc&) {
      return false;
    }
  }

  /// The next piece to be sent; empty if there is none.
  /// Requires: nobody is sending.
  ConstBytes next() noexcept {
    settle();
    if (begin_ == sending_.size()) {
      sending_.clear();
      begin_ = 0;
      sending_.swap(queued_);
    }
    return std::span{sending_}.subspan(begin_);
  }
  /// How much of that has been sent: for whoever sends to write to.
  std::size_t& sent() noexcept { return sent_; }
  /// Takes what has been sent away.  Also harmless while somebody else is sending.
  void settle() noexcept { begin_ += std::exchange(sent_, 0); }

  /// Requires: nobody is sending, and it is empty.
  void give_memory_back() noexcept {
    sending_ = {};
    queued_ = {};
    begin_ = sent_ = 0;
  }

 private:
  std::vector<std::byte> sending_;
  std::vector<std::byte> queued_;
  std::size_t begin_ = 0;  ///< of what is left in sending_
  std::size_t sent_ = 0;   ///< from there
};

}  // namespace asyncio::detail

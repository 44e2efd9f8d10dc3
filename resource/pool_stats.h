// Figures of a pool.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <asyncio/core/time.h>

namespace asyncio {

/// Why a pool has let go of a connection.
enum class DiscardReason : std::uint8_t {
  interrupted,  ///< it came back in the middle of an operation
  asked,        ///< Lease::discard()
  broken,       ///< it was closed, or had unasked bytes, before it was lent
  unanswered,   ///< a ping failed or took too long
  idle,         ///< it lay idle for too long
  lifetime,     ///< it was too old
  closing,      ///< the pool closed
  forked,       ///< it belongs to the parent process
};
inline constexpr std::size_t discard_reasons = 8;

/// Durations by powers of two: bucket i counts those below 2^i microseconds, and above the bucket
/// before it; the last counts all that are longer.
class DurationHistogram {
 public:
  static constexpr std::size_t buckets = 28;  // up to a minute and more

  void add(Duration duration) noexcept {
    const auto us =
        static_cast<std::uint64_t>(duration > Duration::zero() ? duration.count() / 1000 : 0);
    const auto bucket = static_cast<std::size_t>(std::bit_width(us));
    ++counts_[bucket < buckets ? bucket : buckets - 1];
    ++total_;
  }

  std::uint64_t total() const noexcept { return total_; }
  const std::array<std::uint64_t, buckets>& counts() const noexcept { return counts_; }
  /// Returns what at least the share `q` (0 to 1) of the durations does not exceed; zero if there
  /// are none.
  Duration quantile(double q) const noexcept {
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < buckets; ++i) {
      seen += counts_[i];
      if (seen != 0 && static_cast<double>(seen) >= q * static_cast<double>(total_)) {
        return Duration{(std::int64_t{1} << i) * 1000};
      }
    }
    return Duration::zero();
  }

 private:
  std::array<std::uint64_t, buckets> counts_{};
  std::uint64_t total_ = 0;
};

/// Where a pool stands, and figures since it was made.
struct PoolStats {
  std::size_t size = 0;     ///< connections in every state: the sum of the next five
  std::size_t idle = 0;     ///< there for the next who asks
  std::size_t lent = 0;     ///< with a Lease
  std::size_t dialing = 0;  ///< being made
  std::size_t pinging = 0;  ///< idle for long, and being asked whether they live
  std::size_t closing = 0;  ///< saying goodbye
  std::size_t waiting = 0;  ///< tasks in acquire()

  std::uint64_t acquired = 0;
  std::uint64_t timeouts = 0;  ///< PoolTimeout
  std::uint64_t refused = 0;   ///< PoolFullError
  std::uint64_t dials = 0;     ///< begun
  std::uint64_t dial_failures = 0;
  std::array<std::uint64_t, discard_reasons> discards{};  ///< see discarded()
  DurationHistogram wait = {};  ///< of those who had to wait and were served

  std::uint64_t discarded(DiscardReason reason) const noexcept {
    return discards[static_cast<std::size_t>(reason)];
  }
};

}  // namespace asyncio

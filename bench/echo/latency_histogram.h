// Latencies of any number of requests in 30 kB, each kept to within 1.6 %.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace echo_bench {

// 2^6 = 64 buckets for each power of two.
constexpr unsigned kBucketBits = 6;

// A value below 2^7 is its own bucket.  For a larger value, the highest seven bits are kept; how
// many bits were dropped selects the power of two.
constexpr std::size_t bucket_of(std::uint64_t value) {
  const auto width = static_cast<unsigned>(std::bit_width(value));
  const unsigned dropped = width > kBucketBits + 1 ? width - (kBucketBits + 1) : 0;
  return (std::size_t{dropped} << kBucketBits) + static_cast<std::size_t>(value >> dropped);
}

constexpr std::uint64_t last_value_of(std::size_t bucket) {
  if (bucket < (std::size_t{2} << kBucketBits)) return bucket;
  const std::size_t dropped = (bucket >> kBucketBits) - 1;
  const std::uint64_t kept = bucket - (dropped << kBucketBits);
  return ((kept + 1) << dropped) - 1;
}

static_assert(bucket_of(127) == 127 && last_value_of(127) == 127);
static_assert(bucket_of(128) == 128 && bucket_of(129) == 128 && last_value_of(128) == 129);
static_assert(bucket_of(last_value_of(1000)) == 1000 && bucket_of(last_value_of(999) + 1) == 1000);

/// Counts values in buckets whose width grows with the value.
class LatencyHistogram {
 public:
  void record(std::chrono::nanoseconds latency) {
    const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(latency.count(), 0));
    ++buckets_[bucket_of(value)];
    ++count_;
    largest_ = std::max(largest_, value);
  }

  /// The latency in µs that `share` (0 to 1) of all requests did not exceed.  Rounded up to the end
  /// of its bucket, so it is never flattering.  0 if nothing was recorded.
  double percentile_us(double share) const {
    const auto wanted = std::max<std::uint64_t>(
        1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_))));
    std::uint64_t seen = 0;
    for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
      seen += buckets_[bucket];
      if (seen >= wanted) return to_us(std::min(last_value_of(bucket), largest_));
    }
    return to_us(largest_);
  }

  double max_us() const { return to_us(largest_); }

 private:
  static double to_us(std::uint64_t ns) { return static_cast<double>(ns) / 1000.0; }

  std::array<std::uint64_t, bucket_of(~std::uint64_t{0}) + 1> buckets_{};
  std::uint64_t count_ = 0;
  std::uint64_t largest_ = 0;
};

}  // namespace echo_bench

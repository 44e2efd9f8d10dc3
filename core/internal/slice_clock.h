// How long a slice has taken, by a clock that costs a fraction of a switch.
//
// clock_gettime() takes longer than a switch of stacks, so a slice is timed by the processor's
// counter.  Its rate is learned over time, from readings of the real clock that the turn of the
// loop takes anyway.  A counter that goes wrong makes slices shorter, or longer up to their limit
// in switches, and does no other harm.
#pragma once

#include <cstdint>

#include <asyncio/core/time.h>

namespace asyncio::detail {

class SliceClock {
 public:
  using Ticks = std::uint64_t;

  static Ticks ticks() noexcept {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    Ticks count = 0;
    asm volatile("mrs %0, cntvct_el0" : "=r"(count));
    return count;
#else
    return static_cast<Ticks>(Clock::now().time_since_epoch().count());
#endif
  }

  /// The ticks of one slice; before the rate is known, those at one gigahertz.
  Ticks slice() const noexcept { return slice_; }

  /// Takes note of what the real clock says right now.
  void learn(TimePoint now) noexcept {
    if (known_) [[likely]]
      return;
    learn_slowly(now);
  }

  static constexpr Duration slice_time = std::chrono::microseconds{20};

 private:
  void learn_slowly(TimePoint now) noexcept {
    if (began_ == TimePoint{}) {
      began_ = now;
      at_begin_ = ticks();
      return;
    }
    const Duration passed = now - began_;
    if (passed < long_enough) return;
    const auto ratio =
        static_cast<double>(slice_time.count()) / static_cast<double>(passed.count());
    slice_ = static_cast<Ticks>(static_cast<double>(ticks() - at_begin_) * ratio) + 1;
    known_ = true;
  }

  static constexpr Duration long_enough = std::chrono::milliseconds{1};

  Ticks slice_ = static_cast<Ticks>(slice_time.count());
  bool known_ = false;
  TimePoint began_{};
  Ticks at_begin_ = 0;
};

}  // namespace asyncio::detail

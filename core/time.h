// Time as the library sees it: one clock, one duration, and lossless ways into both.
#pragma once

#include <chrono>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <type_traits>

namespace asyncio {

/// The clock of every deadline.  A test clock (core/test_clock.h) hands out time points of this
/// same type, so code under test need not know which one drives it.
using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;

/// Nanoseconds in 64 bits: 292 years either way.  Larger durations are clamped, never wrapped.
using Duration = std::chrono::nanoseconds;

/// What every function that takes a time accepts: any std::chrono::duration, or seconds as a
/// number.
template <class D>
concept DurationLike = std::is_arithmetic_v<std::remove_cvref_t<D>> || requires {
  typename std::remove_cvref_t<D>::rep;
  typename std::remove_cvref_t<D>::period;
};

namespace detail {

/// Converts seconds to Duration, clamped to its range, rounded up so that a wait is never too
/// short.
/// Throws: std::invalid_argument for NaN.
inline Duration from_seconds(double seconds) {
  if (std::isnan(seconds)) {
    throw std::invalid_argument("a duration must be a number, not NaN: pass 0 for no delay");
  }
  constexpr double limit = 9.2e9;  // seconds; the largest Duration is a little above
  if (seconds >= limit) return Duration::max();
  if (seconds <= -limit) return Duration::min();
  return Duration{static_cast<std::int64_t>(std::ceil(seconds * 1e9))};
}

}  // namespace detail

/// Converts any accepted spelling of a time to Duration, clamped to its range, rounded up.
/// Throws: std::invalid_argument for NaN.
template <DurationLike D>
Duration to_duration(const D& duration) {
  if constexpr (std::is_same_v<D, Duration>) {
    return duration;
  } else if constexpr (std::is_arithmetic_v<D>) {
    return detail::from_seconds(static_cast<double>(duration));
  } else if constexpr (std::chrono::treat_as_floating_point_v<typename D::rep>) {
    return detail::from_seconds(
        std::chrono::duration_cast<std::chrono::duration<double>>(duration).count());
  } else {
    using Wide = std::chrono::duration<double>;
    const double seconds = std::chrono::duration_cast<Wide>(duration).count();
    if (seconds >= 9.2e9) return Duration::max();
    if (seconds <= -9.2e9) return Duration::min();
    return std::chrono::ceil<Duration>(duration);
  }
}

/// `now + delay` without overflow: a delay beyond the clock's range means "never"
/// (TimePoint::max()).
inline TimePoint deadline_after(TimePoint now, Duration delay) {
  if (delay <= Duration::zero()) return now;
  if (delay > TimePoint::max() - now) return TimePoint::max();
  return now + delay;
}

}  // namespace asyncio

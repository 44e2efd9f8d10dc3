// Durations in every spelling: lossless where they can be, clamped where not (case L4).
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>

#include <gtest/gtest.h>

#include <asyncio/core/time.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

TEST(TimeTest, ChronoDurationsOfEveryUnit) {
  EXPECT_EQ(Duration{7}, to_duration(7ns));
  EXPECT_EQ(Duration{7'000}, to_duration(7us));
  EXPECT_EQ(Duration{7'000'000'000}, to_duration(7s));
  EXPECT_EQ(Duration{48h}, to_duration(std::chrono::days{2}));
  EXPECT_EQ(Duration{1'500'000'000}, to_duration(std::chrono::duration<double>{1.5}));
  EXPECT_EQ(Duration{-7'000'000}, to_duration(-7ms));
}

TEST(TimeTest, NumbersAreSeconds) {
  EXPECT_EQ(Duration{1s}, to_duration(1));
  EXPECT_EQ(Duration{1500ms}, to_duration(1.5));
  EXPECT_EQ(Duration{1500ms}, to_duration(1.5F));
  EXPECT_EQ(Duration::zero(), to_duration(0));
  EXPECT_EQ(Duration{-1s}, to_duration(-1L));
}

TEST(TimeTest, L11_FractionsOfANanosecondAreRoundedUp) {
  EXPECT_EQ(Duration{1}, to_duration(1e-10));
  EXPECT_EQ(Duration{2}, to_duration(1.5e-9));
  EXPECT_EQ(Duration{1}, to_duration(std::chrono::duration<std::int64_t, std::pico>{1}));
  EXPECT_EQ(Duration{2}, to_duration(std::chrono::duration<std::int64_t, std::pico>{1'001}));
}

TEST(TimeTest, L4_NotANumberIsRefused) {
  EXPECT_THROW(to_duration(std::nan("")), std::invalid_argument);
  EXPECT_THROW(to_duration(std::nanf("")), std::invalid_argument);
  EXPECT_THROW(to_duration(std::chrono::duration<double>{std::nan("")}), std::invalid_argument);
  EXPECT_THROW(to_duration(std::chrono::duration<double, std::milli>{std::nan("")}),
               std::invalid_argument);
}

TEST(TimeTest, L4_WhatIsBeyondTheRangeIsClamped) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double huge : {infinity, 1e300, 1e10}) {
    EXPECT_EQ(Duration::max(), to_duration(huge));
    EXPECT_EQ(Duration::min(), to_duration(-huge));
    EXPECT_EQ(Duration::max(), to_duration(std::chrono::duration<double>{huge}));
  }
  EXPECT_EQ(Duration::max(), to_duration(std::chrono::hours::max()));
  EXPECT_EQ(Duration::max(), to_duration(std::chrono::years{300}));
  EXPECT_EQ(Duration::min(), to_duration(std::chrono::hours::min()));
  EXPECT_EQ(Duration::max(), to_duration(std::numeric_limits<std::uint64_t>::max()));
  EXPECT_EQ(Duration::max(), to_duration(Duration::max()));
}

TEST(TimeTest, L4_DeadlinesNeverWrap) {
  const TimePoint now{Duration{1h}};
  EXPECT_EQ(now + 5ms, deadline_after(now, 5ms));
  EXPECT_EQ(now, deadline_after(now, Duration::zero()));
  EXPECT_EQ(now, deadline_after(now, -5ms));
  EXPECT_EQ(now, deadline_after(now, Duration::min()));
  EXPECT_EQ(TimePoint::max(), deadline_after(now, Duration::max()));
  EXPECT_EQ(TimePoint::max(), deadline_after(TimePoint::max(), Duration{1}));
  EXPECT_EQ(TimePoint::max(), deadline_after(TimePoint::max() - 1ns, 1ns));
  EXPECT_EQ(TimePoint::max() - 1ns, deadline_after(TimePoint::max() - 2ns, 1ns));
}

}  // namespace
}  // namespace asyncio::test

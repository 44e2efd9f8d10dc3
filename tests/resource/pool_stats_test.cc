// The histogram of a pool's waits.
#include <chrono>

#include <gtest/gtest.h>

#include <asyncio/asyncio.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

TEST(PoolStatsTest, AHistogramCountsByPowersOfTwo) {
  DurationHistogram histogram;
  EXPECT_EQ(Duration::zero(), histogram.quantile(0.5));
  histogram.add(-1ms);
  histogram.add(999ns);
  histogram.add(1us);
  histogram.add(5us);
  histogram.add(Duration::max());
  EXPECT_EQ(5u, histogram.total());
  EXPECT_EQ(2u, histogram.counts()[0]);
  EXPECT_EQ(1u, histogram.counts()[1]);
  EXPECT_EQ(1u, histogram.counts()[3]);
  EXPECT_EQ(1u, histogram.counts()[DurationHistogram::buckets - 1]);
}

TEST(PoolStatsTest, AQuantileIsTheUpperEndOfItsBucket) {
  DurationHistogram histogram;
  for (int i = 0; i < 90; ++i) histogram.add(3us);
  for (int i = 0; i < 10; ++i) histogram.add(900us);
  EXPECT_EQ(4us, histogram.quantile(0.5));
  EXPECT_EQ(4us, histogram.quantile(0.9));
  EXPECT_EQ(1024us, histogram.quantile(0.99));
}

}  // namespace
}  // namespace asyncio::test

// What a row is timed by: its first batch warms up, and is not in the figure.
#include <algorithm>
#include <cstdint>
#include <vector>

#include <benchmark/benchmark.h>
#include <gtest/gtest.h>

#include "../../bench/support/rows.h"

namespace bench {
namespace {

class Keep : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context& /*context*/) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override { kept = runs.front(); }
  Run kept;
};

/// What Google Benchmark reports of one row that runs this often; `body(State&)` times itself.
template <class Body>
benchmark::BenchmarkReporter::Run run(std::int64_t iterations, Body body) {
  benchmark::ClearRegisteredBenchmarks();
  Rows("test.row", Extent::usual).add_self_timed("asyncio", {}, body)->Iterations(iterations);
  Keep reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter, ".");
  return reporter.kept;
}

/// Notes of each batch whether it was timed; the first takes a thousand seconds, all others one.
struct Noted {
  void batch(State& state) {
    state.SetIterationTime(timed.empty() ? 1'000 : 1);
    timed.push_back(state.timed());
  }
  std::int64_t count(bool which) const { return std::count(timed.begin(), timed.end(), which); }
  std::vector<bool> timed;
};

TEST(Row, WarmsUpOnABatchThatIsInNoFigure) {
  Noted noted;
  const auto row = run(300, [&](State& state) {
    while (state.KeepRunningBatch(100)) noted.batch(state);
    EXPECT_EQ(state.iterations(), 300);
  });
  EXPECT_GE(noted.count(false), 1);
  EXPECT_FALSE(noted.timed.front());
  EXPECT_EQ(noted.count(true), 3);
  EXPECT_EQ(row.iterations, 300);
  EXPECT_DOUBLE_EQ(row.real_accumulated_time, 3);
}

TEST(Row, WarmsUpInARangeLoop) {
  Noted noted;
  const auto row = run(5, [&](State& state) {
    for (auto _ : state) noted.batch(state);
    EXPECT_EQ(state.iterations(), 5);
  });
  EXPECT_FALSE(noted.timed.front());
  EXPECT_EQ(noted.count(true), 5);
  EXPECT_DOUBLE_EQ(row.real_accumulated_time, 5);
}

TEST(Row, WarmsUpOneByOne) {
  Noted noted;
  const auto row = run(5, [&](State& state) {
    while (state.KeepRunning()) noted.batch(state);
  });
  EXPECT_FALSE(noted.timed.front());
  EXPECT_EQ(noted.count(true), 5);
  EXPECT_DOUBLE_EQ(row.real_accumulated_time, 5);
}

TEST(Row, WarmsUpForAMomentWhereABatchIsShort) {
  Noted noted;
  run(1, [&](State& state) {
    for (auto _ : state) noted.batch(state);
  });
  EXPECT_GE(noted.count(false), 2);
}

TEST(Row, IsTimedFromItsFirstBatchWhereItsBodyHasWarmedUpByItself) {
  Noted noted;
  const auto row = run(2, [&](State& state) {
    state.begin_as_it_is();
    for (auto _ : state) noted.batch(state);
  });
  EXPECT_EQ(noted.count(false), 0);
  EXPECT_DOUBLE_EQ(row.real_accumulated_time, 1'001);
}

TEST(Row, EndsWhereItFailsWhileItWarmsUp) {
  Noted noted;
  const auto row = run(5, [&](State& state) {
    while (state.KeepRunningBatch(1)) {
      noted.batch(state);
      state.SkipWithError("broken");
    }
  });
  EXPECT_EQ(noted.timed.size(), 1U);
  EXPECT_TRUE(row.error_occurred);
}

}  // namespace
}  // namespace bench

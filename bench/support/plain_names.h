// Reports benchmarks by the names they were registered with.
#pragma once

#include <memory>
#include <vector>

#include <benchmark/benchmark.h>

namespace bench {

/// Google Benchmark appends "/real_time" or "/iterations:1" to a name, by how the benchmark is
/// timed.  That is not part of what was measured, and would make two names of one row.
class PlainNames final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context& context) override { return inner_->ReportContext(context); }

  void ReportRuns(const std::vector<Run>& runs) override {
    std::vector<Run> plain = runs;
    for (Run& run : plain) {
      run.run_name.min_time.clear();
      run.run_name.iterations.clear();
      run.run_name.repetitions.clear();
      run.run_name.time_type.clear();
    }
    inner_->ReportRuns(plain);
  }

  void Finalize() override { inner_->Finalize(); }

 private:
  std::unique_ptr<benchmark::BenchmarkReporter> inner_{benchmark::CreateDefaultDisplayReporter()};
};

}  // namespace bench

// The entry point of the benchmark program.
//
//   asyncio_bench [--extent=smoke|usual|full] [Google Benchmark's options]
//
// Run one subject per process, as `meson test --benchmark` does
// (--benchmark_filter='^core\.yield/'): once a process has had a second thread, locks and
// allocations cost more in all that follows.
#include <algorithm>
#include <cstdio>
#include <map>
#include <string_view>

#include <benchmark/benchmark.h>

#include "support/many_descriptors.h"
#include "support/plain_names.h"
#include "support/rows.h"

namespace {

/// Takes --extent= out of the arguments.
bench::Extent take_extent(int& argc, char** argv) {
  const std::map<std::string_view, bench::Extent> extents = {
      {"--extent=smoke", bench::Extent::smoke},
      {"--extent=usual", bench::Extent::usual},
      {"--extent=full", bench::Extent::full},
  };
  auto extent = bench::Extent::usual;
  const auto end = std::remove_if(argv + 1, argv + argc, [&](const char* argument) {
    const auto found = extents.find(argument);
    if (found != extents.end()) extent = found->second;
    return found != extents.end();
  });
  argc = static_cast<int>(end - argv);
  return extent;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Extent extent = take_extent(argc, argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  bench::allow_many_descriptors();
  bench::Subject::register_all(extent);
  bench::PlainNames reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
}

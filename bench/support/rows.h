// How a benchmark gets its name and its sizes.
//
// Every benchmark is called `<module>.<subject>/<contender>[/<param>:<value>...]`, for example
// core.yield/asyncio/tasks:2 or core.wake_fd/asyncio@ev.  Rows that differ in the contender alone
// did the same work, so they can be compared.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "state.h"

namespace bench {

/// How much to run: `smoke` shows that everything works, `full` takes as long as it takes.
enum class Extent { smoke, usual, full };

/// One `/name:value` of a benchmark's name.
struct Param {
  template <std::integral N>
  Param(std::string_view name, N value) : Param(name, std::to_string(value)) {}
  Param(std::string_view name, std::string_view value) {
    text.append("/").append(name).append(":").append(value);
  }
  std::string text;
};
using Params = std::vector<Param>;

/// Where a subject puts its benchmarks.
class Rows {
 public:
  Rows(std::string subject, Extent extent) : subject_(std::move(subject)), extent_(extent) {}

  bool smoke() const { return extent_ == Extent::smoke; }

  /// The sizes to run.  A smoke test takes the first, which should be small; `more` is for `full`.
  std::vector<std::int64_t> sizes(std::vector<std::int64_t> usual,
                                  const std::vector<std::int64_t>& more = {}) const {
    if (extent_ == Extent::smoke) return {usual.front()};
    if (extent_ == Extent::full) usual.insert(usual.end(), more.begin(), more.end());
    return usual;
  }

  /// `body(State&)` is timed by the clock on the wall: a loop may sleep, and threads may help.  Its
  /// first batch is not timed, of this body as of every other: see state.h.
  template <std::invocable<State&> Body>
  benchmark::internal::Benchmark* add(std::string_view contender, const Params& params, Body body) {
    return enroll(contender, params, std::move(body))->UseRealTime();
  }

  /// `body` says itself, by SetIterationTime, how long the iterations took.
  template <std::invocable<State&> Body>
  benchmark::internal::Benchmark* add_self_timed(std::string_view contender, const Params& params,
                                                 Body body) {
    return enroll(contender, params, std::move(body))->UseManualTime();
  }

 private:
  template <class Body>
  benchmark::internal::Benchmark* enroll(std::string_view contender, const Params& params,
                                         Body body) {
    std::string name = subject_;
    name.append("/").append(contender);
    for (const Param& param : params) name += param.text;
    return benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& google) {
      State state(google);
      body(state);
    });
  }

  std::string subject_;
  Extent extent_;
};

/// A static object of this type announces a subject, or adds contenders to one.
class Subject {
 public:
  using Fill = void (*)(Rows&);

  Subject(const char* name, Fill fill) { all().push_back({name, fill}); }

  static void register_all(Extent extent) {
    for (const auto& [name, fill] : all()) {
      Rows rows(name, extent);
      fill(rows);
    }
  }

 private:
  static std::vector<std::pair<const char*, Fill>>& all() {
    static std::vector<std::pair<const char*, Fill>> subjects;
    return subjects;
  }
};

}  // namespace bench

// The skynet benchmark: a tree of tasks, ten children each, whose leaves return their numbers and
// whose inner nodes add up what their children return.
#pragma once

#include <cstdint>

#include "rows.h"

namespace bench {

/// A wrong sum fails the benchmark.
inline void check_skynet(State& state, std::int64_t sum, std::int64_t leaves) {
  if (sum != leaves * (leaves - 1) / 2) state.SkipWithError("skynet gave a wrong sum");
}

/// Times trees that `tree()` adds up, for each leaf.
template <class Tree>
void time_skynet(State& state, std::int64_t leaves, Tree tree) {
  while (state.KeepRunningBatch(leaves)) check_skynet(state, tree(), leaves);
}

}  // namespace bench

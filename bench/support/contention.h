// How much is done under a contended lock: in a round, every task takes it this often, and gives
// way to the others while it holds it.
#pragma once

#include <cstdint>

namespace bench {

constexpr std::int64_t kLocksEach = 100;

}  // namespace bench

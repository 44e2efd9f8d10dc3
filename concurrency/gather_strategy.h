// What gather() does when an input fails.
#pragma once

#include <cstdint>
#include <string_view>

#include <asyncio/core/export.h>

namespace asyncio {

enum class ASYNCIO_API_STABLE GatherStrategy : std::uint8_t {
  fail_fast,       ///< cancel the rest, join it, throw
  wait_all,        ///< wait for every input, then throw if any failed
  return_partial,  ///< never throw: std::optional in each place
};

/// The enumerator's name, in lower case.
constexpr std::string_view to_string(GatherStrategy strategy) noexcept {
  switch (strategy) {
    case GatherStrategy::fail_fast:
      return "fail_fast";
    case GatherStrategy::wait_all:
      return "wait_all";
    case GatherStrategy::return_partial:
      return "return_partial";
  }
  return "?";
}

}  // namespace asyncio

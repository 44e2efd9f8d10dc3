// The name of a timer callback.
#pragma once

#include <compare>
#include <cstdint>

namespace asyncio {

/// Names one timer made by add_timer, call_later or call_at.  `TimerId{}` names none, ever; the
/// name of a dead timer is never given to another one.
struct TimerId {
  std::uint64_t value = 0;

  explicit operator bool() const noexcept { return value != 0; }
  friend auto operator<=>(const TimerId&, const TimerId&) = default;
};

}  // namespace asyncio

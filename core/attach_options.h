// How a guest behaves in a host's loop.
#pragma once

#include <chrono>

#include <asyncio/core/time.h>

namespace asyncio {

struct AttachOptions {
  /// How long tasks and callbacks may run before the host has its turn again.  A task that does not
  /// suspend is not cut short.
  Duration budget = std::chrono::microseconds{500};
};

}  // namespace asyncio

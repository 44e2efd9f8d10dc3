// How a guest behaves in a host's loop.
#pragma once

#include <chrono>

#include <asyncio/core/time.h>

namespace asyncio {

struct AttachOptions {
  /// How long tasks and callbacks may run before the host has its turn again.  A task that does not
  /// suspend is not cut short.
  Duration budget = std::chrono::microseconds{500};
  /// Whether the host's run goes on while something of the guest's could still happen that is not
  /// in the background.  With false all of the guest is in the background, as a watcher that libev
  /// does not count: a host that ends when nothing of its own is left ends, and tasks wait for
  /// shutdown().
  bool keeps_host_running = true;
};

}  // namespace asyncio

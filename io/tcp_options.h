// How connections are made and kept.
#pragma once

#include <optional>

#include <asyncio/core/time.h>
#include <asyncio/io/endpoint.h>

namespace asyncio {

/// When the kernel asks a silent peer whether it is still there, and when it gives up.
struct KeepAlive {
  Duration idle = std::chrono::seconds{60};      ///< silence before it first asks; whole seconds
  Duration interval = std::chrono::seconds{15};  ///< from one question to the next; likewise
  int probes = 9;                                ///< questions without an answer that are enough
};

struct ConnectOptions {
  /// The address, and perhaps the port, to connect from.  Nothing: the kernel chooses.
  std::optional<Endpoint> from;
  /// Sends small pieces at once, rather than wait for more to go with them.
  bool no_delay = true;
  std::optional<KeepAlive> keep_alive = KeepAlive{};
};

struct ListenOptions {
  /// How many connections may wait to be accepted; the kernel may have a lower limit.
  int backlog = 4096;
  /// What connections that are accepted begin with.
  bool no_delay = true;
  std::optional<KeepAlive> keep_alive = KeepAlive{};
};

}  // namespace asyncio

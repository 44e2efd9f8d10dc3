// How connections are made and kept.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include <asyncio/core/time.h>
#include <asyncio/io/endpoint.h>

namespace asyncio {

class Resolver;
struct Attempt;

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

  // To a host with several addresses:

  /// How long an attempt is waited for before the next address is tried as well.
  Duration attempt_delay = std::chrono::milliseconds{250};
  /// How long to wait for IPv6 addresses when IPv4 ones are known already.
  Duration resolution_delay = std::chrono::milliseconds{50};
  /// Null: the one that each loop has.
  Resolver* resolver = nullptr;
  /// Unless null, it is given every attempt when the connection stands, in the order in which they
  /// began: the one that won has no code, and those that were still under way are
  /// std::errc::operation_canceled.  A failure lists them itself, in ConnectError::attempts().
  std::vector<Attempt>* attempts = nullptr;
};

struct ListenOptions {
  /// How many connections may wait to be accepted; the kernel may have a lower limit.
  int backlog = 4096;
  /// What connections that are accepted begin with.
  bool no_delay = true;
  std::optional<KeepAlive> keep_alive = KeepAlive{};
};

}  // namespace asyncio

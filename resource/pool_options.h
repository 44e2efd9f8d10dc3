// PoolOptions, and the errors of a pool.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include <asyncio/concurrency/backoff.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/export.h>
#include <asyncio/core/time.h>

namespace asyncio {

/// How a pool is made.
struct PoolOptions {
  std::size_t max_size = 10;       ///< connections in every state
  std::size_t min_idle = 0;        ///< kept ready beyond those that are lent
  std::size_t max_waiting = 1000;  ///< tasks that may wait at a time
  std::size_t max_dialing = 4;     ///< dials at a time
  Duration acquire_timeout = std::chrono::seconds{5};
  Duration dial_timeout = std::chrono::seconds{10};
  Duration idle_timeout = std::chrono::seconds{60};  ///< then it is let go
  /// Connections are renewed after that long, each at a moment of its own within a tenth of it, so
  /// that they do not all go at once.
  Duration max_lifetime = std::chrono::minutes{30};
  Duration ping_after = std::chrono::seconds{30};  ///< idle for longer: asked before it is lent
  Duration ping_timeout = std::chrono::seconds{1};
  Duration close_timeout = std::chrono::seconds{1};
  Duration drain_timeout = std::chrono::seconds{5};
  BackoffOptions dial_backoff = {.first = std::chrono::milliseconds{50},
                                 .most = std::chrono::seconds{5}};
  std::string name = "pool";  ///< in messages
};

/// No connection came back or could be made within acquire_timeout.  It is not the time limit of
/// what the connection was wanted for.
class ASYNCIO_API PoolTimeout : public Error {
 public:
  using Error::Error;
  ~PoolTimeout() override;
};

/// As many tasks wait for a connection as may.
class ASYNCIO_API PoolFullError : public Error {
 public:
  using Error::Error;
  ~PoolFullError() override;
};

}  // namespace asyncio

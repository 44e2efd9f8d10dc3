// Tasks of ours that are busy all the time beside what shares their loop.
#pragma once

#include <asyncio/core/event_loop.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {

/// Always something ready, something asleep, and something on its way through a socket: a guest
/// that takes every turn it gets.
class Neighbours {
 public:
  /// Starts them, in `loop`.
  explicit Neighbours(EventLoop& loop);

  /// Has them end; what keeps the host running are then its own watchers.
  void stop() noexcept { stopping_ = true; }

  /// Checks that each kind got on, however slow the machine was.
  void expect_progress() const;

 private:
  void sleep_and_count();
  void echo() const;
  void send_and_compare();
  void turn_over();

  SocketPair pair_;
  bool stopping_ = false;
  int slept_ = 0;
  int echoed_ = 0;
  int turned_ = 0;
};

}  // namespace asyncio::test

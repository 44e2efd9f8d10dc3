// Waiting by poll(2), for a guest that has left its host.
#pragma once

#include <vector>

#include <poll.h>

#include <asyncio/core/event_loop_interface.h>
#include <asyncio/core/time.h>

namespace asyncio::detail {

/// Needs no descriptor of its own, so nothing has to be kept ready for the day it is needed.
class PollSet {
 public:
  /// As EventLoopInterface's members of these names.
  int watch(int fd, Interest wanted) noexcept;
  void wait(TimePoint until, ReadySink& sink);

 private:
  std::vector<pollfd> polled_;  ///< by descriptor; -1 is skipped by poll
};

}  // namespace asyncio::detail

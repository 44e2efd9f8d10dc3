// Threads that one kind of blocking call has to itself.
#pragma once

#include <cstddef>

namespace asyncio::lowlevel {

/// For to_thread: each loop has threads of its own for a lane, at most so many, which are started
/// when they are needed.  So calls that hang, as those that ask a name server may, hold up none but
/// their like; what finds all threads of its lane busy waits for one, first come, first served.
///
/// Declare it with static storage duration: `static constexpr ThreadLane files{8};`
class ThreadLane {
 public:
  explicit constexpr ThreadLane(std::size_t most_threads) noexcept : most_threads_(most_threads) {}
  ThreadLane(const ThreadLane&) = delete;
  ThreadLane& operator=(const ThreadLane&) = delete;

  std::size_t most_threads() const noexcept { return most_threads_; }

 private:
  std::size_t most_threads_;
};

}  // namespace asyncio::lowlevel

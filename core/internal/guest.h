// The loop as a part of a host's loop: what the host calls, and what it sees.
#pragma once

#include <atomic>

#include <asyncio/core/event_loop.h>
#include <asyncio/core/internal/rooms.h>
#include <asyncio/core/time.h>

namespace asyncio::detail {

class Guest {
 public:
  explicit Guest(const Rooms& rooms) noexcept;
  ~Guest();
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;

  /// Is there a guest in the process?  Threads: any.
  static bool is_there() noexcept { return guests.load(std::memory_order_relaxed) != 0; }

  /// As EventLoopInterface::process().
  bool process(Duration budget) noexcept;
  /// As EventLoop's members of these names, for a guest by descriptor.
  bool process_by_descriptor(Duration budget);
  NativeHandle native_handle() const;

  /// Could anything still happen, of its own accord or because somebody else calls?
  bool could_go_on() const noexcept;

  /// Ends the loop at the end of the host's current turn.
  void ask_for_shutdown() noexcept { shutdown_asked_ = true; }

 private:
  void check_by_descriptor(const char* call) const;
  /// Says, once, that nothing is done in a child before after_fork(); not of an idle loop.
  void tell_of_fork() noexcept;

  static constinit std::atomic<int> guests;

  const Rooms& rooms_;
  const bool counted_;  ///< in `guests`
  bool shutdown_asked_ = false;
  bool fork_reported_ = false;
  TimePoint left_to_host_ = TimePoint::min();  ///< when process() last ended
};

}  // namespace asyncio::detail

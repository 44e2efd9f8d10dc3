// How a run ends, and how a loop does: tasks are cancelled and joined, resources are closed, and what
// nobody is left to run is given back.
#pragma once

#include <vector>

#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/internal/rooms.h>

namespace asyncio::detail {

class Ending {
 public:
  explicit Ending(const Rooms& rooms) noexcept : rooms_(rooms) {}
  Ending(const Ending&) = delete;
  Ending& operator=(const Ending&) = delete;

  /// As EventLoop::shutdown().
  void shutdown();

  /// Cancels and joins every task, then closes what belongs to the root.  With `hold_callbacks`,
  /// callbacks and timers stay for the next run.  `interrupted`: for resources it is a cancellation.
  void wind_up(bool hold_callbacks, bool interrupted);

  /// A fresh root for the next run, with no task left in the old one.
  void reset_root();

  /// The loop goes: leaves the host, unwinds the tasks, and gives back whatever is left.
  void end_loop() noexcept;

 private:
  template <class Finished>
  bool drive_to(Finished&& finished);
  void close_root_resources(bool interrupted);
  void abandon_survivors();
  void leave_host() noexcept;
  void leak_abandoned() noexcept;

  const Rooms& rooms_;
  std::vector<TaskRef> abandoned_;
};

}  // namespace asyncio::detail

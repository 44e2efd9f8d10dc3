// How a run ends, and how a loop ends: tasks are cancelled and joined, resources are closed, and
// what nobody is left to run is destroyed.
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
  /// callbacks and timers stay for the next run.  `interrupted` tells resources that this is a
  /// cancellation.
  void wind_up(bool hold_callbacks, bool interrupted);

  /// Makes the root fresh for the next run.  Requires: no task is left in it.
  void reset_root();

  /// Ends the loop: leaves the host, unwinds the tasks, and destroys whatever is left.
  void end_loop() noexcept;

 private:
  template <class Finished>
  bool drive_to(Finished&& finished);
  void close_root_resources(bool interrupted);
  void abandon_survivors();
  void leave_host() noexcept;
  void replace_lost_descriptors() noexcept;
  bool something_is_left() const noexcept;
  /// Destroys callbacks and timers, which may come back and leave more.
  void drop_what_is_held() noexcept;
  void leak_abandoned() noexcept;

  const Rooms& rooms_;
  std::vector<TaskRef> abandoned_;
};

}  // namespace asyncio::detail

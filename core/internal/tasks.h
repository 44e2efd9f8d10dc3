// The tasks of a loop, as numbers: their ids, their time stamps, how many there are.
#pragma once

#include <cstddef>
#include <cstdint>

#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/internal/rooms.h>
#include <asyncio/core/time.h>

namespace asyncio::detail {

class Tasks {
 public:
  explicit Tasks(const Rooms& rooms) noexcept;
  Tasks(const Tasks&) = delete;
  Tasks& operator=(const Tasks&) = delete;

  /// Unique within the process.
  std::uint64_t next_id() noexcept {
    if (next_id_ == end_of_ids_) [[unlikely]]
      take_ids();
    return next_id_++;
  }

  /// The time, for the stamps of a task: exact in debug mode and in virtual time, else to the
  /// kernel's tick, which costs much less.
  TimePoint stamp() noexcept;
  /// Sets the stamp to the time, which has just been read.
  void set_stamp(TimePoint now) noexcept { stamp_ = now; }

  void note_created(TaskControl& task) noexcept;
  void note_started(TaskControl& task) noexcept;
  /// A task has ended, or has been given up.
  void note_gone(const TaskControl& task) noexcept {
    --alive_;
    if (task.background) --in_background_;
  }

  std::uint64_t created() const noexcept { return created_; }
  std::size_t alive() const noexcept { return alive_; }
  /// Those that EventLoop::run() waits for.
  std::size_t in_foreground() const noexcept { return alive_ - in_background_; }

 private:
  void take_ids() noexcept;

  const Rooms& rooms_;
  const bool exact_stamps_;
  std::uint64_t next_id_ = 0;
  std::uint64_t end_of_ids_ = 0;
  TimePoint stamp_{};
  std::int64_t stamp_tick_ = 0;
  std::uint64_t created_ = 0;
  std::size_t alive_ = 0;
  std::size_t in_background_ = 0;
};

}  // namespace asyncio::detail

// The loop behind EventLoop: it owns the rooms, and runs.  Code that needs a room finds it through
// rooms.h.
#pragma once

#include <memory>

#include <asyncio/core/detail/scope.h>
#include <asyncio/core/event_loop.h>
#include <asyncio/core/internal/ending.h>
#include <asyncio/core/internal/failures.h>
#include <asyncio/core/internal/guest.h>
#include <asyncio/core/internal/handle.h>
#include <asyncio/core/internal/memory/memory.h>
#include <asyncio/core/internal/process/signals.h>
#include <asyncio/core/internal/process/workers.h>
#include <asyncio/core/internal/reactor/reactor.h>
#include <asyncio/core/internal/rooms.h>
#include <asyncio/core/internal/scheduler.h>
#include <asyncio/core/internal/slots.h>
#include <asyncio/core/internal/tasks.h>
#include <asyncio/core/internal/turn.h>

namespace asyncio::detail {

class Loop final : private ReactorUser {
 public:
  Loop(EventLoop& face, std::unique_ptr<EventLoopInterface> backend, const LoopOptions& options);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  const Rooms& rooms() const noexcept { return rooms_; }
  EventLoopInterface& backend() noexcept { return *backend_; }
  const std::shared_ptr<LoopShared>& shared() const noexcept { return shared_; }

  /// Runs until `main` has ended, then until every other task has.
  void run_main(TaskControl& main);
  void run_until_idle();
  /// Makes one turn.  Returns whether a run would go on.
  bool step(const char* call, bool may_wait);
  /// As EventLoop::abandon().
  void abandon();
  bool is_abandoned() const noexcept { return abandoned_; }
  /// Throws NestedRunError if any loop runs on this thread, InvalidStateError for a guest and for a
  /// loop that runs on another thread.
  void check_not_nested(const char* call);
  /// Throws InvalidStateError on a thread other than the loop's, in a forked child before
  /// after_fork(), and after abandon().  `call` names the caller.
  void check_call(const char* call);
  /// As check_call(), for what does no harm in a forked child.
  void check_thread(const char* call);
  /// Threads: any.
  void stop() noexcept override;

  LoopStatistics statistics() const;

 private:
  /// As Turn::drive(), but also waits for what other threads may do with a task's handle.
  template <class Finished>
  bool drive(Finished finished);
  void report_doubt() noexcept;

  // ReactorUser, with stop():
  void work_came() noexcept override { scheduler_.work_came(); }
  bool process(Duration budget) noexcept override { return guest_.process(budget); }

  [[noreturn]] void throw_deadlock(const char* call) const;

  const LoopOptions options_;
  std::unique_ptr<EventLoopInterface> backend_;
  Reactor& reactor_;
  std::shared_ptr<LoopShared> shared_;
  Rooms rooms_;

  Memory memory_;
  Failures failures_;
  Scheduler scheduler_;
  Tasks tasks_;
  Turn turn_;
  Signals signals_;
  Workers workers_;
  LoopSlots slots_;
  Guest guest_;
  Ending ending_;
  Scope root_;
  bool abandoned_ = false;
};

}  // namespace asyncio::detail

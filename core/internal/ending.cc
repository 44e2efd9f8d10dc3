#include <asyncio/core/internal/ending.h>

#include <string>
#include <utility>

#include <asyncio/core/errors.h>
#include <asyncio/core/event_loop.h>
#include <asyncio/core/internal/dump.h>
#include <asyncio/core/internal/failures.h>
#include <asyncio/core/internal/guest.h>
#include <asyncio/core/internal/handle.h>
#include <asyncio/core/internal/memory/memory.h>
#include <asyncio/core/internal/process/forks.h>
#include <asyncio/core/internal/process/signals.h>
#include <asyncio/core/internal/process/workers.h>
#include <asyncio/core/internal/reactor/reactor.h>
#include <asyncio/core/internal/run_guard.h>
#include <asyncio/core/internal/scheduler.h>
#include <asyncio/core/internal/slots.h>
#include <asyncio/core/internal/tasks.h>
#include <asyncio/core/internal/turn.h>

namespace asyncio::detail {
namespace {

// Callbacks still queued when main has ended get this many turns.
constexpr int farewell_turns = 16;

struct Grace : TimerNode {
  Grace() noexcept : TimerNode([](TimerNode& node) { static_cast<Grace&>(node).over = true; }) {}
  bool over = false;
};

}  // namespace

void Ending::shutdown() {
  Reactor& reactor = rooms_.reactor;
  Scheduler& scheduler = rooms_.scheduler;
  if (scheduler.current_task() != nullptr) {
    throw InvalidStateError(
        "shutdown() cannot be called from a task, because it waits for every task: call it from "
        "the host, or by call_soon(...)");
  }
  if (scheduler.running()) {
    if (!reactor.guest()) {
      throw InvalidStateError(
          "shutdown() cannot be called inside run(): use stop(), and shutdown() once run() has "
          "returned");
    }
    rooms_.guest.ask_for_shutdown();  // called by a callback: waits for the end of the turn
    return;
  }
  check_fork(reactor, "shutdown");
  if (rooms_.root.ended) return;
  reactor.check_descriptors("shutdown");
  scheduler.set_host_asleep(false);
  if (reactor.guest()) reactor.detach();
  const RunGuard guard{rooms_};
  wind_up(false, rooms_.root.living != 0);
  rooms_.root.ended = true;
}

// As Turn::drive(), but ignores stop(), which would only leave tasks behind.
template <class Finished>
bool Ending::drive_to(Finished&& finished) {
  Scheduler& scheduler = rooms_.scheduler;
  try {
    do {
      scheduler.take_stop();
      if (rooms_.turn.drive(finished)) {
        scheduler.take_stop();
        return true;
      }
    } while (scheduler.stopping());
  } catch (const BackendError&) {
    scheduler.take_stop();
    rooms_.failures.report("the backend failed while tasks were being ended",
                           std::current_exception(), nullptr);
  }
  return false;
}

void Ending::wind_up(bool hold_callbacks, bool interrupted) {
  Scope& root = rooms_.root;
  Reactor& reactor = rooms_.reactor;
  Scheduler& scheduler = rooms_.scheduler;
  const auto hold = [&](bool held) {
    scheduler.hold_callbacks(held);
    reactor.callbacks().hold(held);
  };
  scheduler.take_stop();
  if (root.living == 0) close_root_resources(interrupted);
  if (root.living != 0) {
    hold(hold_callbacks);
    root.joining = true;
    cancel_node(root, CancelReason::shutdown, "the loop is ending");
    Grace grace;
    reactor.timers().arm(grace, deadline_after(reactor.now(), rooms_.options.shutdown_grace));
    drive_to([&] { return root.living == 0 || grace.over; });
    reactor.timers().disarm(grace);
    if (root.living != 0) abandon_survivors();
    close_root_resources(interrupted);
    hold(false);
    scheduler.release_held();
  }
  for (int turn = 0; !hold_callbacks && turn < farewell_turns && scheduler.has_ready(); ++turn) {
    scheduler.run_ready(TimePoint::max());
    scheduler.take_stop();
    rooms_.failures.report_left();
  }
  rooms_.failures.report_left();
  reset_root();
}

// What belongs to the root scope is closed by a task of its own: closing may suspend.
void Ending::close_root_resources(bool interrupted) {
  Scope& root = rooms_.root;
  if (root.on_leave == nullptr || root.ended) return;  // ended: shutdown() has closed them
  reset_root();
  auto closer = spawn(
      root, [&] { root.on_leave(root, interrupted); }, "close resources", {}, TaskPriority::system);
  closer.control().own_scope.shield = true;
  rooms_.scheduler.hold_callbacks(false);
  if (!drive_to([&] { return closer.is_done(); })) abandon_survivors();
}

// Tasks that did not end in time are reported, never resumed again, and leaked with their stacks.
void Ending::abandon_survivors() {
  for (TaskRef& task : living_tasks(rooms_)) {
    rooms_.tasks.note_gone(*task);
    task->abandoned = true;
    task->completed = rooms_.tasks.stamp();
    rooms_.failures.report(
        "task '" + task->display_name() +
            "' did not end within the grace period after its cancellation and was abandoned; it "
            "waits for " +
            wait_text(*task),
        nullptr, task.get());
    task->own_scope.unlink();
    abandoned_.push_back(std::move(task));
  }
  // Nobody is left to unlock what they own, and the next run must not find it locked.
  for (const TaskRef& task : abandoned_) lowlevel::Ownership::abandon_all(task->owned);
  rooms_.scheduler.drop_tasks();  // only survivors were left, so every task that is ready is one
  rooms_.root.living = 0;
  rooms_.root.background = 0;
}

void Ending::reset_root() {
  Scope& root = rooms_.root;
  while (ScopeNode* node = root.failed.pop_front()) rooms_.failures.report_ignored(*node->task);
  root.set_deadline(TimePoint::max());
  root.deadline_hit = false;
  root.cause = nullptr;
  root.cancel_called = false;
  root.effective = false;
  root.joining = false;
}

void Ending::leave_host() noexcept {
  Reactor& reactor = rooms_.reactor;
  rooms_.scheduler.set_host_asleep(false);
  if (!reactor.guest()) return;
  if (rooms_.root.living != 0) {
    rooms_.failures.report("an EventLoop was destroyed while " +
                               std::to_string(rooms_.tasks.alive()) +
                               " tasks of it were alive in its host's loop; they are cancelled "
                               "now. Call shutdown() first",
                           nullptr, nullptr);
  }
  reactor.detach();
}

bool Ending::something_is_left() const noexcept {
  return rooms_.root.living != 0 || rooms_.scheduler.has_ready() ||
         rooms_.reactor.callbacks().count() != 0;
}

void Ending::drop_what_is_held() noexcept {
  rooms_.scheduler.drop_callbacks();
  rooms_.reactor.callbacks().clear();
}

// Somebody has closed our descriptors: without new ones, no cleanup could wait.
void Ending::replace_lost_descriptors() noexcept {
  if (!rooms_.reactor.has_lost_descriptors()) return;
  try {
    rooms_.reactor.replace_lost_descriptors();
  } catch (const Error&) {
    rooms_.failures.report("the end of a loop whose descriptors were closed",
                           std::current_exception(), nullptr);
  }
}

void Ending::end_loop() noexcept {
  Scope& root = rooms_.root;
  leave_host();
  {
    const RunGuard guard{rooms_};
    replace_lost_descriptors();
    // Destructors that run here may start tasks, timers and callbacks, so this is repeated, but not
    // forever.
    for (int round = 0; round == 0 || (something_is_left() && round < farewell_turns); ++round) {
      if (root.living != 0 || root.on_leave != nullptr) wind_up(true, root.living != 0);
      reset_root();
      drop_what_is_held();
      rooms_.signals.end();
      rooms_.slots.clear();
    }
    if (root.living != 0) abandon_survivors();
    root.ended = true;
    root.resources = nullptr;
    rooms_.workers.end();
    rooms_.shared.closed.store(true);
    rooms_.turn.refuse_posts();
    rooms_.reactor.inbox().refuse();
    rooms_.failures.set_handler(nullptr);
    for (int round = 0; something_is_left() && round < farewell_turns; ++round) drop_what_is_held();
    rooms_.signals.end();
  }
  leak_abandoned();
}

void Ending::leak_abandoned() noexcept {
  if (abandoned_.empty()) return;
  rooms_.memory.leak_stacks();
  for (TaskRef& task : abandoned_) {
    task->scheduler = nullptr;
    task->add_ref();  // the control block is leaked with the stack that refers to it
  }
}

}  // namespace asyncio::detail

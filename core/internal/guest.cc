#include <asyncio/core/internal/guest.h>

#include <algorithm>
#include <string>
#include <utility>

#include <asyncio/core/errors.h>
#include <asyncio/core/internal/ending.h>
#include <asyncio/core/internal/failures.h>
#include <asyncio/core/internal/handle.h>
#include <asyncio/core/internal/memory/memory.h>
#include <asyncio/core/internal/process/forks.h>
#include <asyncio/core/internal/reactor/reactor.h>
#include <asyncio/core/internal/run_guard.h>
#include <asyncio/core/internal/scheduler.h>
#include <asyncio/core/internal/tasks.h>
#include <asyncio/core/internal/turn.h>

namespace asyncio::detail {

constinit std::atomic<int> Guest::guests{0};

Guest::Guest(const Rooms& rooms) noexcept : rooms_(rooms), counted_(rooms.reactor.guest()) {
  if (counted_) guests.fetch_add(1, std::memory_order_relaxed);
}

Guest::~Guest() {
  if (counted_) guests.fetch_sub(1, std::memory_order_relaxed);
}

// Ready data beats a timeout, and only the host waits for descriptors: so while a task waits on
// one, only deadlines that had passed before the host's last wait may fire.
bool Guest::process(Duration budget) noexcept {
  Reactor& reactor = rooms_.reactor;
  Scheduler& scheduler = rooms_.scheduler;
  if (scheduler.running() || !reactor.guest()) return false;
  if (reactor.forked()) {
    tell_of_fork();
    return false;
  }
  const bool real_time = rooms_.options.clock == nullptr;
  bool work = false;
  {
    const RunGuard guard{rooms_};
    scheduler.set_host_asleep(false);
    reactor.inbox().end_sleep();
    const TimePoint budget_end = deadline_after(Clock::now(), budget);
    try {
      rooms_.turn.guest_turn(reactor.fd_waiters() == 0 ? reactor.now() : left_to_host_, budget_end);
      // More turns, without a wait between them and so without deadlines.  With a virtual clock
      // each turn is exactly the six steps.
      while (rooms_.turn.has_work() && real_time && !shutdown_asked_ && Clock::now() < budget_end) {
        rooms_.turn.guest_turn(TimePoint::min(), budget_end);
      }
      left_to_host_ = reactor.now();
      work = rooms_.turn.has_work() || reactor.timers().earliest() <= left_to_host_;
    } catch (const BackendError&) {
      rooms_.failures.report("the host's loop failed", std::current_exception(), nullptr);
    }
  }
  if (std::exchange(shutdown_asked_, false)) {
    rooms_.ending.shutdown();
    return false;
  }
  const bool alive = could_go_on();
  // Virtual time does not pass by itself: whoever moves it has the host come by.
  const TimePoint due = real_time ? reactor.timers().earliest() : TimePoint::max();
  reactor.rest(alive, std::min(due, rooms_.memory.trim(Clock::now())));
  reactor.keep_host(!rooms_.turn.only_background_is_left());
  if (work) return true;
  if (alive && !reactor.inbox().begin_sleep()) return true;
  scheduler.set_host_asleep(true);
  return false;
}

void Guest::tell_of_fork() noexcept {
  const bool matters = could_go_on() && !rooms_.shared.closed.load();
  if (!matters || std::exchange(fork_reported_, true)) return;
  rooms_.failures.report(
      "the guest of a host's loop does nothing in a forked child: call after_fork() first, or "
      "abandon() if the child has no use for it",
      nullptr, nullptr);
}

bool Guest::could_go_on() const noexcept {
  return rooms_.turn.has_work() || rooms_.tasks.alive() != 0 || !rooms_.reactor.timers().empty() ||
         rooms_.turn.could_be_woken();
}

void Guest::check_by_descriptor(const char* call) const {
  if (rooms_.reactor.native_fd() < 0) {
    throw InvalidStateError(
        std::string{call} +
        (rooms_.reactor.guest()
             ? " on the guest of a libev or libevent loop, which calls it by itself"
             : " on a loop that runs itself: use run(...), or make it the guest of a host with "
               "EventLoop{attach_by_descriptor()}"));
  }
  rooms_.reactor.inbox().check_thread(call);
  check_fork(rooms_.reactor, call);
}

bool Guest::process_by_descriptor(Duration budget) {
  check_by_descriptor("process()");
  rooms_.reactor.check_descriptors("process()");
  const bool work = process(budget);
  if (work) rooms_.reactor.work_arrived();
  return work;
}

NativeHandle Guest::native_handle() const {
  check_by_descriptor("native_handle()");
  const Reactor& reactor = rooms_.reactor;
  if (!reactor.guest()) return {reactor.native_fd(), TimePoint::max(), false};  // it has left
  const bool resting = rooms_.scheduler.host_asleep();
  return {reactor.native_fd(), resting ? reactor.called_at() : TimePoint::min(),
          !rooms_.turn.only_background_is_left()};
}

}  // namespace asyncio::detail

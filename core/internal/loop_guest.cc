// The loop as the guest of a host's: its turn, and what the host sees of it.
#include <algorithm>
#include <string>
#include <utility>

#include <asyncio/core/errors.h>
#include <asyncio/core/internal/loop.h>
#include <asyncio/core/internal/run_guard.h>

namespace asyncio::detail {

// The six steps, from the third on, for that is the host's: it has just waited.  Ready data beats a
// timeout, so only deadlines up to `due` are looked at, which that wait was up against.
void Loop::guest_turn(TimePoint due) {
  ++turns_;
  const std::uint64_t armed_before = reactor_.timers().next_sequence();
  ++backend_waits_;
  reactor_.wait(TimePoint::min());
  fire_deadlines(due, armed_limit_);
  stamp_ = reactor_.now();
  run_ready();
  take_posts();
  // What is ready comes before timers that were armed in the same turn.
  armed_limit_ = has_work() ? armed_before : reactor_.timers().next_sequence();
  stopping_ = false;  // there is no run to end but this one
}

bool Loop::process(Duration budget) noexcept {
  if (running_ || !reactor_.guest() || reactor_.forked()) return false;
  bool work = false;
  {
    const RunGuard guard{*this};
    host_asleep_ = false;
    reactor_.inbox().end_sleep();
    budget_end_ = deadline_after(Clock::now(), budget);
    try {
      guest_turn(reactor_.fd_waiters() == 0 ? reactor_.now() : left_to_host_);
      // More turns, without a wait between them and so without deadlines.  With a virtual clock each
      // turn is exactly the six steps.
      while (has_work() && options_.clock == nullptr && !shutdown_asked_ &&
             Clock::now() < budget_end_) {
        guest_turn(TimePoint::min());
      }
      left_to_host_ = reactor_.now();
      work = has_work() || reactor_.timers().earliest() <= left_to_host_;
    } catch (const BackendError&) {
      report("the host's loop failed", std::current_exception(), nullptr);
    }
    budget_end_ = TimePoint::max();
  }
  if (std::exchange(shutdown_asked_, false)) {
    shutdown();
    return false;
  }
  const bool alive = could_go_on();
  // Virtual time does not pass by itself: whoever moves it has the host come by.
  const bool real = options_.clock == nullptr;
  const TimePoint due = real ? reactor_.timers().earliest() : TimePoint::max();
  reactor_.rest(alive, std::min(due, trim_pools(Clock::now())));
  if (work) return true;
  if (alive && !reactor_.inbox().begin_sleep()) return true;
  host_asleep_ = true;
  return false;
}

bool Loop::could_go_on() const noexcept {
  return has_work() || alive_count_ != 0 || !reactor_.timers().empty() || could_be_woken();
}

void Loop::check_by_descriptor(const char* call) const {
  if (reactor_.native_fd() >= 0) return;
  throw InvalidStateError(
      std::string{call} +
      (reactor_.guest()
           ? " on the guest of a libev or libevent loop, which calls it by itself"
           : " on a loop that runs itself: use run(...), or make it the guest of a host with "
             "EventLoop{attach_by_descriptor()}"));
}

bool Loop::process_by_descriptor(Duration budget) {
  check_by_descriptor("process()");
  reactor_.inbox().check_thread("process()");
  check_fork("process()");
  const bool work = process(budget);
  if (work) reactor_.work_arrived();
  return work;
}

NativeHandle Loop::native_handle() const {
  check_by_descriptor("native_handle()");
  const bool has_left = !reactor_.guest();
  return {reactor_.native_fd(), host_asleep_ || has_left ? reactor_.called_at() : TimePoint::min(),
          could_go_on()};
}

void Loop::wake_host() noexcept {
  host_asleep_ = false;
  reactor_.work_arrived();
}

}  // namespace asyncio::detail

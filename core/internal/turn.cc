#include <asyncio/core/internal/turn.h>

#include <algorithm>
#include <utility>

#include <asyncio/core/event_loop.h>
#include <asyncio/core/internal/failures.h>
#include <asyncio/core/internal/handle.h>
#include <asyncio/core/internal/memory/memory.h>
#include <asyncio/core/internal/process/signals.h>
#include <asyncio/core/internal/process/workers.h>
#include <asyncio/core/internal/reactor/reactor.h>
#include <asyncio/core/internal/scheduler.h>
#include <asyncio/core/internal/tasks.h>
#include <asyncio/core/test_clock.h>

namespace asyncio::detail {
namespace {

// While work is ready the backend is asked at least this often; it costs a system call.
constexpr Duration poll_interval = std::chrono::microseconds{50};

// Posts run in one turn.
constexpr int post_batch = 256;

}  // namespace

bool Turn::drive(bool (*finished)(void*), void* ask) {
  Reactor& reactor = rooms_.reactor;
  Scheduler& scheduler = rooms_.scheduler;
  for (;;) {
    if (scheduler.stopping() || reactor.forked()) return false;
    ++turns_;
    const std::uint64_t armed_before = reactor.timers().next_sequence();
    // 1. What was ready when the turn began.
    while (!scheduler.run_slice() && !scheduler.stopping() && !reactor.forked()) {
      if (!finished(ask)) fire_what_came_due(armed_before);
    }
    if (finished(ask)) return true;
    if (scheduler.stopping() || reactor.forked()) return false;
    // 2. What other threads and signal handlers left.
    take_posts();
    if (scheduler.stopping() || reactor.forked()) return false;
    // 3.–5. Wait, if nothing is ready, and wake whom the descriptors concern.
    std::uint64_t limit = armed_before;
    TimePoint now{};
    if (scheduler.has_ready() || posts_ != nullptr) {
      now = reactor.now();  // before the look: data that came by then beats a deadline
      if (look_is_due(now)) look();
    } else {
      // Nothing that was ready is left, so timers armed in step 1 come after all of it already.
      limit = reactor.timers().next_sequence();
      if (!wait()) return false;
      now = reactor.now();
    }
    rooms_.tasks.set_stamp(now);
    scheduler.learn_time(now);
    // 6. Deadlines, after I/O: ready data beats a timeout of the same turn.
    fire_deadlines(now, limit);
  }
}

// A batch may be long and its steps dear.  Deadlines that pass meanwhile do not wait for its end.
void Turn::fire_what_came_due(std::uint64_t armed_before) {
  Reactor& reactor = rooms_.reactor;
  const TimePoint now = reactor.now();
  rooms_.scheduler.learn_time(now);
  if (reactor.timers().earliest() > now) return;
  if (reactor.fd_waiters() != 0) look();  // data that came by then beats a deadline
  fire_deadlines(now, armed_before);
}

void Turn::guest_turn(TimePoint due, TimePoint budget_end) {
  Reactor& reactor = rooms_.reactor;
  ++turns_;
  const std::uint64_t armed_before = reactor.timers().next_sequence();
  ++waits_;
  reactor.wait(TimePoint::min());
  const TimePoint fired = reactor.take_fired();
  if (rooms_.options.clock == nullptr) due = std::max(due, fired);
  fire_deadlines(due, next_limit_, budget_end);
  run_what_the_wait_brought(armed_before, budget_end);
}

bool Turn::step(bool may_wait) {
  Reactor& reactor = rooms_.reactor;
  ++turns_;
  const std::uint64_t armed_before = reactor.timers().next_sequence();
  std::uint64_t limit = next_limit_;
  if (has_work()) {
    look();
  } else {
    limit = armed_before;  // nothing is left that would have to come first
    if (!may_wait) {
      look();
    } else if (!wait()) {
      return false;
    }
  }
  fire_deadlines(reactor.now(), limit);
  run_what_the_wait_brought(armed_before, TimePoint::max());
  return true;
}

void Turn::run_what_the_wait_brought(std::uint64_t armed_before, TimePoint budget_end) {
  Reactor& reactor = rooms_.reactor;
  const TimePoint now = reactor.now();
  rooms_.tasks.set_stamp(now);
  rooms_.scheduler.learn_time(now);
  rooms_.scheduler.run_ready(budget_end);
  take_posts(budget_end);
  // What is ready comes before timers that were armed in the same turn.
  next_limit_ = has_work() ? armed_before : reactor.timers().next_sequence();
  rooms_.scheduler.take_stop();  // there is no run to end but this one
}

// ---- Step 2: posts ------------------------------------------------------------------------------

void Turn::take_posts(TimePoint budget_end) {
  Scheduler& scheduler = rooms_.scheduler;
  Inbox& inbox = rooms_.reactor.inbox();
  if (rooms_.shared.stop_requested.exchange(false, std::memory_order_relaxed)) scheduler.stop();
  rooms_.signals.dispatch();
  if (Post* taken = inbox.has_posts() ? inbox.take_all() : nullptr) {
    Post* last = taken;
    while (last->next != nullptr) last = last->next;
    (posts_ == nullptr ? posts_ : posts_tail_->next) = taken;
    posts_tail_ = last;
  }
  scheduler.begin_slice();
  for (int i = 0; i < post_batch && posts_ != nullptr && !scheduler.stopping(); ++i) {
    if (rooms_.reactor.forked()) return;
    Post* post = std::exchange(posts_, posts_->next);
    ++posts_taken_;
    try {
      const bool ours = post->epoch == 0 || post->epoch == inbox.epoch();
      post->run(*post, ours ? &scheduler : nullptr);
    } catch (...) {
      if (rooms_.failures.callback_failed(std::current_exception(),
                                          "a callback from another thread")) {
        scheduler.stop();
      }
    }
    if (budget_end == TimePoint::max() ? scheduler.slice_has_ended() : Clock::now() >= budget_end) {
      return;
    }
  }
}

void Turn::refuse_posts() {
  while (posts_ != nullptr) {
    Post* post = std::exchange(posts_, posts_->next);
    post->run(*post, nullptr);
  }
}

// ---- Steps 3 to 5: waiting ----------------------------------------------------------------------

bool Turn::look_is_due(TimePoint now) noexcept {
  Reactor& reactor = rooms_.reactor;
  if (rooms_.options.clock != nullptr || rooms_.options.debug) return true;
  const bool deadline_passed = reactor.fd_waiters() != 0 && reactor.timers().earliest() <= now;
  return deadline_passed || now - last_poll_ >= poll_interval;
}

void Turn::look() {
  ++waits_;
  rooms_.reactor.wait(TimePoint::min());
  last_poll_ = Clock::now();
}

// Called when nothing is ready.  Returns false if nothing ever will be.
bool Turn::wait() {
  Reactor& reactor = rooms_.reactor;
  TestClock* const clock = rooms_.options.clock;
  const TimePoint earliest = reactor.timers().earliest();
  if (earliest == TimePoint::max() && !could_be_woken()) return false;
  ++waits_;
  if (clock != nullptr) {
    reactor.wait(TimePoint::min());
    if (has_work()) return true;
    if (reactor.descriptors().verify_waits())
      return true;  // a real wait would take the time for this
    if (earliest != TimePoint::max() && rooms_.workers.jobs() == 0) {
      clock->advance_to(earliest);
      return true;
    }
  }
  TimePoint until = clock != nullptr ? TimePoint::max() : earliest;
  if (rooms_.memory.may_be_trimmed()) until = std::min(until, rooms_.memory.trim(Clock::now()));
  sleep(until);
  return true;
}

void Turn::sleep(TimePoint until) {
  Reactor& reactor = rooms_.reactor;
  Inbox& inbox = reactor.inbox();
  if (inbox.begin_sleep()) {
    reactor.wait(until);
    inbox.end_sleep();
  } else {
    reactor.wait(TimePoint::min());
  }
  last_poll_ = Clock::now();
}

bool Turn::has_work() const noexcept {
  return rooms_.scheduler.has_ready() || posts_ != nullptr || rooms_.reactor.inbox().has_posts();
}

bool Turn::could_be_woken() const noexcept {
  return rooms_.reactor.fd_waiters() != 0 || rooms_.signals.keep_loop_alive() ||
         rooms_.workers.jobs() != 0 || rooms_.shared.is_held() ||
         rooms_.reactor.inbox().has_posts();  // last: the last handle may have posted and gone
}

bool Turn::only_background_is_left() const noexcept {
  // Descriptors are waited for by tasks, and so are all deadlines but those of callbacks.
  return !has_work() && rooms_.tasks.in_foreground() == 0 &&
         rooms_.reactor.callbacks().in_foreground() == 0 && !rooms_.signals.keep_loop_alive() &&
         rooms_.workers.jobs() == 0 && !rooms_.shared.is_held() &&
         !rooms_.reactor.inbox().has_posts();  // last, as above
}

// ---- Step 6: deadlines --------------------------------------------------------------------------

void Turn::fire_deadlines(TimePoint due, std::uint64_t limit, TimePoint budget_end) {
  Reactor& reactor = rooms_.reactor;
  Scheduler& scheduler = rooms_.scheduler;
  if (reactor.timers().empty()) return;
  for (bool again = true; again;) {
    again = false;
    try {
      reactor.fire_due(due, limit, scheduler.stop_flag(), budget_end);
    } catch (...) {
      if (rooms_.failures.callback_failed(std::current_exception(), "a timer callback")) {
        scheduler.stop();
      } else {
        again = !scheduler.stopping();
      }
    }
  }
}

}  // namespace asyncio::detail

// Where connections go: goodbyes, age, and the end of the pool.
#include <algorithm>
#include <optional>
#include <utility>

#include <asyncio/concurrency/cancellation_scope.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/event_loop.h>
#include <asyncio/core/event_loop_interface.h>
#include <asyncio/resource/internal/pool_work.h>

namespace asyncio::detail {
namespace {
constexpr lowlevel::WaitQueue::Kind drain_wait{"pool's drain"};
}

// ---- Letting go ---------------------------------------------------------------------------------

void PoolCore::retire(std::unique_ptr<PoolSlot> slot, DiscardReason reason) {
  if (slot->process != process_) {
    reason = DiscardReason::forked;
    driver_->forsake(*slot);
  }
  ++figures_.discards[static_cast<std::size_t>(reason)];
  const bool at_rest =
      !slot->dirty && (reason == DiscardReason::idle || reason == DiscardReason::lifetime ||
                       reason == DiscardReason::closing);
  if (at_rest && driver_->can_close) return say_goodbye(std::move(slot));
  drop(std::move(slot));
}

void PoolCore::say_goodbye(std::unique_ptr<PoolSlot> slot) {
  TaskGroup* group = last_goodbyes_;
  if (group == nullptr && goodbyes_ && !goodbyes_->is_closed() && !goodbyes_->is_cancelled()) {
    group = &*goodbyes_;
  }
  if (group == nullptr) return drop(std::move(slot));
  const std::shared_ptr<PoolCore> core = shared_from_this();
  group->spawn(
      [core, work = InWork{core, Work::goodbye}, leaving = std::move(slot)]() mutable {
        try {
          CancellationScope::try_run([&] { core->driver_->close(*leaving); },
                                     {.timeout = core->options_.close_timeout, .name = "goodbye"});
        } catch (const Cancelled&) {
          leaving.reset();
          throw;
        } catch (...) {  // a peer that does not hear it has gone before
        }
        leaving.reset();
        work.finish();
        core->supply();
      },
      "goodbye of " + options_.name);
}

void PoolCore::drop(std::unique_ptr<PoolSlot> slot) {
  ++closing_;
  slot.reset();
  --closing_;
  note_change();
}

// One at a time: what a destructor does may come back here.
void PoolCore::retire_idle(DiscardReason reason) {
  while (!idle_.empty()) {
    std::unique_ptr<PoolSlot> slot = std::move(idle_.back());
    idle_.pop_back();
    retire(std::move(slot), reason);
  }
}

void PoolCore::leave_parent_behind() {
  if (process_ == lowlevel::fork_count()) return;
  process_ = lowlevel::fork_count();
  retire_idle(DiscardReason::forked);
}

void PoolCore::note_change() noexcept {
  if (!draining_.empty()) draining_.wake_all();
}

void PoolCore::begin_closing() {
  if (closed_) return;
  closed_ = true;
  disarm();
  fail_waiters(std::make_exception_ptr(
      ClosedError("Pool::acquire: pool '" + options_.name + "' was closed while the task waited")));
}

bool PoolCore::close(Duration drain) {
  lowlevel::current("Pool::close");
  loop_.check("Pool::close", "pool");
  leave_parent_behind();
  begin_closing();
  if (makers_) makers_->cancel("the pool is being closed");

  // Goodbyes belong to this call: the scope that the pool was made in may have ended.
  TaskGroup goodbyes;
  class Lending {
   public:
    Lending(TaskGroup*& place, TaskGroup& group) : place_(place), first_(place == nullptr) {
      if (first_) place_ = &group;
    }
    ~Lending() {
      if (first_) place_ = nullptr;
    }
    Lending(const Lending&) = delete;
    Lending& operator=(const Lending&) = delete;

   private:
    TaskGroup*& place_;
    const bool first_;
  } const lending{last_goodbyes_, goodbyes};
  retire_idle(DiscardReason::closing);

  const TimePoint deadline = deadline_after(loop_.now(), std::max(drain, Duration::zero()));
  while (lent_ + dialing_ + pinging_ != 0 && loop_.now() < deadline) {
    lowlevel::WaitQueue::Place place{drain_wait};
    draining_.wait_until(lowlevel::enter("Pool::close"), place, deadline);
  }
  while (closing_ != 0) {  // each has a limit of its own
    lowlevel::WaitQueue::Place place{drain_wait};
    draining_.wait(lowlevel::enter("Pool::close"), place);
  }
  goodbyes.wait_all();
  return lent_ == 0;
}

void PoolCore::abandon() noexcept {
  if (!loop_.is_reachable()) {  // its tasks ended with their loop
    makers_.reset();
    goodbyes_.reset();
    idle_.clear();
    return;
  }
  try {
    const std::shared_ptr<PoolCore> alive = shared_from_this();
    begin_closing();
    // No goodbye: a destructor does not wait for one.
    for (const std::unique_ptr<PoolSlot>& slot : idle_) slot->dirty = true;
    retire_idle(DiscardReason::closing);
  } catch (...) {
    loop_.report("pool '" + options_.name + "' was destroyed without telling who waits",
                 std::current_exception());
  }
  makers_.reset();
  goodbyes_.reset();
}

// ---- Time ---------------------------------------------------------------------------------------

void PoolCore::arm(TimePoint when) {
  if (when >= timer_at_) return;
  disarm();
  timer_ = get_event_loop().add_timer(
      std::max(when - loop_.now(), Duration::zero()),
      [weak = weak_from_this()] {
        if (const std::shared_ptr<PoolCore> core = weak.lock()) core->on_timer();
      },
      TimerOptions{.persistent = false, .background = true});
  timer_at_ = when;
}

// The first moment at which an idle one has to go.
void PoolCore::arm_for_idle() {
  TimePoint first = TimePoint::max();
  for (const std::unique_ptr<PoolSlot>& slot : idle_) {
    first = std::min(first, slot->retires_at);
    if (idle_.size() > options_.min_idle) {
      first = std::min(first, deadline_after(slot->idle_since, options_.idle_timeout));
    }
  }
  if (first != TimePoint::max()) arm(first);
}

void PoolCore::disarm() noexcept {
  timer_at_ = TimePoint::max();
  const TimerId timer = std::exchange(timer_, TimerId{});
  if (timer && loop_.is_running_here()) get_event_loop().del_timer(timer);
}

void PoolCore::on_timer() {
  timer_ = {};
  timer_at_ = TimePoint::max();
  leave_parent_behind();
  const TimePoint now = loop_.now();
  const auto is_due = [&](const std::unique_ptr<PoolSlot>& slot) {
    return slot->retires_at <= now ||
           (idle_.size() > options_.min_idle &&
            deadline_after(slot->idle_since, options_.idle_timeout) <= now);
  };
  // One at a time: what a destructor does may come back here.
  for (auto due = std::find_if(idle_.begin(), idle_.end(), is_due); due != idle_.end();
       due = std::find_if(idle_.begin(), idle_.end(), is_due)) {
    std::unique_ptr<PoolSlot> slot = std::move(*due);
    idle_.erase(due);
    const bool aged = slot->retires_at <= now;
    retire(std::move(slot), aged ? DiscardReason::lifetime : DiscardReason::idle);
  }
  supply();
  if (!closed_) arm_for_idle();
}

}  // namespace asyncio::detail

// Where connections come from: dials, and pings of those that were idle for long.
#include <algorithm>
#include <string>
#include <utility>

#include <asyncio/concurrency/cancellation_scope.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/exception_group.h>
#include <asyncio/resource/internal/pool_work.h>

namespace asyncio::detail {

void PoolCore::supply(std::size_t newcomers) {
  if (closed_) return;
  if (makers_->is_closed() || makers_->is_cancelled()) return begin_closing();
  const std::size_t wanted = waiting_.size() + newcomers;
  if (wanted + options_.min_idle == 0) return;  // the usual: what came back is idle
  const TimePoint now = loop_.now();
  try {
    while (dialing_ + pinging_ < wanted && !idle_.empty() && needs_ping(*idle_.back(), now)) {
      std::unique_ptr<PoolSlot> slot = std::move(idle_.back());
      idle_.pop_back();
      begin_ping(std::move(slot));
    }
    const std::size_t ready = std::min(options_.min_idle, idle_.size());
    const std::size_t needed = wanted + options_.min_idle - ready;
    // While the peer is down, one dial at a time finds out whether it is up again.
    const std::size_t at_a_time = last_failure_.empty() ? options_.max_dialing : 1;
    while (dialing_ + pinging_ < needed && size() < options_.max_size && dialing_ < at_a_time) {
      if (now < next_dial_at_) return arm(next_dial_at_);
      begin_dial();
    }
  } catch (...) {
    note_dial_failure(std::current_exception());
    arm(next_dial_at_);
  }
}

void PoolCore::begin_dial() {
  ++figures_.dials;
  makers_->spawn(
      [core = shared_from_this(), work = InWork{shared_from_this(), Work::dial}]() mutable {
        core->run_dial(work);
      },
      "dial of " + options_.name);
}

void PoolCore::run_dial(InWork& work) {
  const std::uint64_t process = process_;
  std::unique_ptr<PoolSlot> slot;
  std::exception_ptr failure;
  try {
    const bool in_time = CancellationScope::try_run(
        [&] { slot = driver_->dial(); }, {.timeout = options_.dial_timeout, .name = "dial"});
    if (!in_time) {
      throw TimeoutException("a dial of pool '" + options_.name + "' took longer than " +
                             in_seconds(options_.dial_timeout));
    }
    if (slot == nullptr) {
      throw InvalidStateError("the `dial` of pool '" + options_.name +
                              "' returned null; throw if there is no connection");
    }
    slot->core = shared_from_this();
    idle_.reserve(size());
  } catch (const Cancelled&) {
    work.finish();
    supply();  // notices that the pool's scope has ended
    throw;
  } catch (...) {
    failure = std::current_exception();
  }
  work.finish();
  if (failure != nullptr) {
    note_dial_failure(failure);
  } else {
    slot->retires_at = deadline_after(loop_.now(), options_.max_lifetime / 10 * 9 + spread_.next());
    slot->process = process;
    backoff_.reset();
    next_dial_at_ = TimePoint::min();
    last_failure_.clear();
    offer(std::move(slot));
  }
  supply();
}

void PoolCore::note_dial_failure(const std::exception_ptr& error) {
  ++figures_.dial_failures;
  last_failure_ = describe(error);
  const TimePoint now = loop_.now();
  if (next_dial_at_ <= now) next_dial_at_ = deadline_after(now, backoff_.next());
  if (idle_.size() + lent_ + dialing_ + pinging_ == 0) fail_waiters(error);
}

void PoolCore::begin_ping(std::unique_ptr<PoolSlot> slot) {
  makers_->spawn([core = shared_from_this(), work = InWork{shared_from_this(), Work::ping},
                  asked = std::move(slot)]() mutable { core->run_ping(work, std::move(asked)); },
                 "ping of " + options_.name);
}

void PoolCore::run_ping(InWork& work, std::unique_ptr<PoolSlot> slot) {
  bool alive = false;
  try {
    alive = CancellationScope::try_run([&] { driver_->ping(*slot); },
                                       {.timeout = options_.ping_timeout, .name = "ping"});
  } catch (const Cancelled&) {
    slot.reset();
    work.finish();
    supply();
    throw;
  } catch (...) {  // no answer, whatever the reason
  }
  work.finish();
  if (alive) {
    offer(std::move(slot));
  } else {
    slot->dirty = true;
    retire(std::move(slot), DiscardReason::unanswered);
  }
  supply();
}

}  // namespace asyncio::detail

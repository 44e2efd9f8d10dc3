#include <asyncio/resource/detail/pool_core.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>

#include <asyncio/core/errors.h>
#include <asyncio/resource/internal/pool_work.h>

namespace asyncio {

PoolTimeout::~PoolTimeout() = default;
PoolFullError::~PoolFullError() = default;

namespace detail {

PoolSlot::~PoolSlot() = default;
PoolDriver::~PoolDriver() = default;

namespace {

PoolOptions checked(const PoolOptions& options) {
  const auto refuse = [&](const char* what) {
    throw std::invalid_argument("Pool '" + options.name + "': " + what);
  };
  if (options.max_size == 0) refuse("a pool of no connections serves nobody; pass max_size >= 1");
  if (options.min_idle > options.max_size) {
    refuse("min_idle exceeds max_size; pass at most as many");
  }
  if (options.max_dialing == 0)
    refuse("without a dial there is no connection; pass max_dialing >= 1");
  for (const Duration limit : {options.acquire_timeout, options.dial_timeout, options.idle_timeout,
                               options.max_lifetime, options.ping_timeout, options.close_timeout}) {
    if (limit <= Duration::zero()) refuse("a limit of zero or less cannot be kept; pass more");
  }
  return options;
}

}  // namespace

std::string in_seconds(Duration duration) {
  std::string text = std::to_string(std::chrono::duration<double>(duration).count());
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text + " s";
}

struct PoolCore::Request : lowlevel::WaitQueue::Place {
  explicit Request(TimePoint now) noexcept : Place(kind), since(now) {}
  static constexpr lowlevel::WaitQueue::Kind kind{"pool"};

  std::unique_ptr<PoolSlot> slot;
  std::exception_ptr error;
  TimePoint since;
};

// ---- Making one ---------------------------------------------------------------------------------

std::shared_ptr<PoolCore> PoolCore::make(std::unique_ptr<PoolDriver> driver,
                                         const PoolOptions& options) {
  lowlevel::current("Pool");
  if (!driver->can_dial) {
    throw std::invalid_argument("Pool '" + options.name +
                                "': its Connector has no `dial`; pass a function that makes a "
                                "connection");
  }
  auto core = std::make_shared<PoolCore>(std::move(driver), options);
  core->supply();
  return core;
}

PoolCore::PoolCore(std::unique_ptr<PoolDriver> driver, const PoolOptions& options)
    : options_(checked(options)),
      driver_(std::move(driver)),
      loop_("Pool"),
      backoff_(options.dial_backoff),
      spread_({.first = std::max(options.max_lifetime / 5, Duration{1}),
               .most = std::max(options.max_lifetime / 5, Duration{1}),
               .factor = 1,
               .seed = options.dial_backoff.seed}),
      process_(lowlevel::fork_count()),
      makers_(std::in_place),
      goodbyes_(std::in_place) {}

PoolCore::~PoolCore() = default;

std::size_t& PoolCore::counter(Work work) noexcept {
  if (work == Work::dial) return dialing_;
  return work == Work::ping ? pinging_ : closing_;
}

// ---- Lending ------------------------------------------------------------------------------------

std::unique_ptr<PoolSlot> PoolCore::acquire(const char* call) {
  lowlevel::CurrentTask self = lowlevel::enter(call);
  loop_.check(call, "pool");
  leave_parent_behind();
  if (closed_) throw_closed(call);
  if (waiting_.empty()) {
    if (std::unique_ptr<PoolSlot> slot = take_idle()) {
      ++lent_;
      ++figures_.acquired;
      self.spend();
      return slot;
    }
  }
  if (waiting_.size() >= options_.max_waiting) {
    ++figures_.refused;
    throw PoolFullError(std::string{call} + ": " + std::to_string(waiting_.size()) +
                        " tasks wait for a connection of pool '" + options_.name +
                        "' already; let fewer in, or raise max_waiting");
  }
  supply(1);
  if (closed_) throw_closed(call);
  const TimePoint now = loop_.now();
  Request request{now};
  const lowlevel::Wake outcome =
      waiting_.wait_until(self, request, deadline_after(now, options_.acquire_timeout));
  if (outcome == lowlevel::Wake::timed_out) throw_timeout(call);
  if (request.slot != nullptr) return std::move(request.slot);
  if (request.error != nullptr) std::rethrow_exception(request.error);
  throw_closed(call);
}

bool PoolCore::needs_ping(const PoolSlot& slot, TimePoint now) const {
  return driver_->can_ping && deadline_after(slot.idle_since, options_.ping_after) <= now;
}

bool PoolCore::is_fit(PoolSlot& slot, TimePoint now, DiscardReason& reason) {
  if (slot.process != process_) {
    reason = DiscardReason::forked;
  } else if (slot.retires_at <= now) {
    reason = DiscardReason::lifetime;
  } else {
    reason = DiscardReason::broken;
    ++lent_;  // so that it is counted while user code runs
    bool fit = false;
    try {
      fit = driver_->look(slot);
    } catch (...) {  // what cannot even be looked at is not lent
    }
    --lent_;
    return fit;
  }
  return false;
}

// Those behind the last one have been idle for longer.
std::unique_ptr<PoolSlot> PoolCore::take_idle() {
  const TimePoint now = loop_.now();
  while (!idle_.empty() && !needs_ping(*idle_.back(), now)) {
    std::unique_ptr<PoolSlot> slot = std::move(idle_.back());
    idle_.pop_back();
    DiscardReason reason{};
    if (is_fit(*slot, now, reason)) return slot;
    retire(std::move(slot), reason);
  }
  return nullptr;
}

void PoolCore::offer(std::unique_ptr<PoolSlot> slot) {
  const TimePoint now = loop_.now();
  DiscardReason reason = DiscardReason::closing;
  if (closed_ || !is_fit(*slot, now, reason)) return retire(std::move(slot), reason);
  if (closed_) return retire(std::move(slot), DiscardReason::closing);  // by the look
  if (lowlevel::WaitQueue::Place* const first = waiting_.front()) {
    auto& request = static_cast<Request&>(*first);
    request.slot = std::move(slot);
    ++lent_;
    ++figures_.acquired;
    figures_.wait.add(now - request.since);
    waiting_.wake(request);
    return;
  }
  slot->idle_since = now;
  idle_.push_back(std::move(slot));  // there is room: see run_dial()
  arm(idle_.back()->retires_at);
  if (idle_.size() > options_.min_idle) arm(deadline_after(now, options_.idle_timeout));
}

void PoolCore::put_back(std::unique_ptr<PoolSlot> slot) noexcept {
  const bool dirty = slot->dirty;
  put_back(std::move(slot), dirty ? std::optional{DiscardReason::interrupted} : std::nullopt);
}

void PoolCore::put_back_unusable(std::unique_ptr<PoolSlot> slot) noexcept {
  slot->dirty = true;
  put_back(std::move(slot), DiscardReason::asked);
}

void PoolCore::put_back(std::unique_ptr<PoolSlot> slot,
                        std::optional<DiscardReason> reason) noexcept {
  const std::shared_ptr<PoolCore> core = slot->core;
  if (!core->loop_.is_reachable()) return;  // the loop is gone, and the pool's tasks with it
  --core->lent_;
  try {
    core->leave_parent_behind();
    if (!core->loop_.is_running_here()) {
      core->drop(std::move(slot));
    } else if (reason) {
      core->retire(std::move(slot), *reason);
    } else {
      core->offer(std::move(slot));
    }
    core->supply();
  } catch (...) {
    core->loop_.report("pool '" + core->options_.name + "' lost a connection that came back",
                       std::current_exception());
  }
  core->note_change();
}

void PoolCore::fail_waiters(const std::exception_ptr& error) noexcept {
  waiting_.for_each([&](lowlevel::WaitQueue::Place& place) {
    static_cast<Request&>(place).error = error;
    waiting_.wake(place, lowlevel::Wake::broken);
  });
}

void PoolCore::throw_timeout(const char* call) {
  ++figures_.timeouts;
  std::string message = std::string{call} + ": pool '" + options_.name + "' had no connection in " +
                        in_seconds(options_.acquire_timeout) + ": " + std::to_string(lent_) +
                        " of " + std::to_string(options_.max_size) + " are lent, " +
                        std::to_string(dialing_) + " are being made, and " +
                        std::to_string(waiting_.size()) + " other tasks wait";
  if (!last_failure_.empty()) message += "; the last dial failed: " + last_failure_;
  throw PoolTimeout(message);
}

void PoolCore::throw_closed(const char* call) const {
  throw ClosedError(std::string{call} + ": pool '" + options_.name +
                    "' is closed; make another one");
}

// ---- Telling ------------------------------------------------------------------------------------

PoolStats PoolCore::stats() const {
  PoolStats now = figures_;
  now.size = size();
  now.idle = idle_.size();
  now.lent = lent_;
  now.dialing = dialing_;
  now.pinging = pinging_;
  now.closing = closing_;
  now.waiting = waiting_.size();
  return now;
}

}  // namespace detail
}  // namespace asyncio

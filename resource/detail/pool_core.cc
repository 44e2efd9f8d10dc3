#include <asyncio/resource/detail/pool_core.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include <asyncio/concurrency/cancellation_scope.h>
#include <asyncio/core/event_loop.h>
#include <asyncio/core/event_loop_interface.h>
#include <asyncio/core/exception_group.h>

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

TimePoint after(TimePoint now, Duration delay) {
  return delay < TimePoint::max() - now ? now + delay : TimePoint::max();
}

std::string in_seconds(Duration duration) {
  std::string text = std::to_string(std::chrono::duration<double>(duration).count());
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text + " s";
}

}  // namespace

// A connection that a task of the pool's is busy with: counted as long as this lives, also if the
// task never begins.
class PoolCore::InWork {
 public:
  InWork(std::shared_ptr<PoolCore> core, Work work) : core_(std::move(core)), work_(work) {
    ++core_->counter(work_);
  }
  InWork(InWork&&) noexcept = default;
  InWork& operator=(InWork&&) = delete;
  ~InWork() { finish(); }

  void finish() noexcept {
    if (core_ == nullptr) return;
    --core_->counter(work_);
    core_->note_change();
    core_.reset();
  }

 private:
  std::shared_ptr<PoolCore> core_;
  Work work_;
};

struct PoolCore::Request : lowlevel::WaitQueue::Place {
  explicit Request(TimePoint now) noexcept : Place(kind), since(now) {}
  static constexpr lowlevel::WaitQueue::Kind kind{"pool"};

  std::unique_ptr<PoolSlot> slot;
  std::exception_ptr error;
  TimePoint since;
};

namespace {
constexpr lowlevel::WaitQueue::Kind drain_wait{"pool's drain"};
}

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
      waiting_.wait_until(self, request, after(now, options_.acquire_timeout));
  if (outcome == lowlevel::Wake::timed_out) throw_timeout(call);
  if (request.slot != nullptr) return std::move(request.slot);
  if (request.error != nullptr) std::rethrow_exception(request.error);
  throw_closed(call);
}

bool PoolCore::needs_ping(const PoolSlot& slot) const {
  return driver_->can_ping && after(slot.idle_since, options_.ping_after) <= loop_.now();
}

bool PoolCore::is_fit(PoolSlot& slot, DiscardReason& reason) {
  if (slot.process != process_) {
    reason = DiscardReason::forked;
  } else if (slot.retires_at <= loop_.now()) {
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
  while (!idle_.empty() && !needs_ping(*idle_.back())) {
    std::unique_ptr<PoolSlot> slot = std::move(idle_.back());
    idle_.pop_back();
    DiscardReason reason{};
    if (is_fit(*slot, reason)) return slot;
    retire(std::move(slot), reason);
  }
  return nullptr;
}

void PoolCore::offer(std::unique_ptr<PoolSlot> slot) {
  DiscardReason reason = DiscardReason::closing;
  if (closed_ || !is_fit(*slot, reason)) return retire(std::move(slot), reason);
  if (closed_) return retire(std::move(slot), DiscardReason::closing);  // by the look
  const TimePoint now = loop_.now();
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
  if (idle_.size() > options_.min_idle) arm(after(now, options_.idle_timeout));
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

// ---- Supplying ----------------------------------------------------------------------------------

void PoolCore::supply(std::size_t newcomers) {
  if (closed_) return;
  if (makers_->is_closed() || makers_->is_cancelled()) return begin_closing();
  const std::size_t wanted = waiting_.size() + newcomers;
  try {
    while (dialing_ + pinging_ < wanted && !idle_.empty() && needs_ping(*idle_.back())) {
      std::unique_ptr<PoolSlot> slot = std::move(idle_.back());
      idle_.pop_back();
      begin_ping(std::move(slot));
    }
    const std::size_t ready = std::min(options_.min_idle, idle_.size());
    const std::size_t needed = wanted + options_.min_idle - ready;
    // While the peer is down, one dial at a time finds out whether it is up again.
    const std::size_t at_a_time = last_failure_.empty() ? options_.max_dialing : 1;
    while (dialing_ + pinging_ < needed && size() < options_.max_size && dialing_ < at_a_time) {
      if (loop_.now() < next_dial_at_) return arm(next_dial_at_);
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
    slot->retires_at = after(loop_.now(), options_.max_lifetime / 10 * 9 + spread_.next());
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
  if (next_dial_at_ <= now) next_dial_at_ = after(now, backoff_.next());
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

  const TimePoint deadline = after(loop_.now(), std::max(drain, Duration::zero()));
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
    while (!idle_.empty()) {
      std::unique_ptr<PoolSlot> slot = std::move(idle_.back());
      idle_.pop_back();
      slot->dirty = true;  // no goodbye: a destructor does not wait for one
      retire(std::move(slot), DiscardReason::closing);
    }
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
      first = std::min(first, after(slot->idle_since, options_.idle_timeout));
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
    return slot->retires_at <= now || (idle_.size() > options_.min_idle &&
                                       after(slot->idle_since, options_.idle_timeout) <= now);
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

#include <asyncio/core/internal/reactor/callback_timers.h>

#include <utility>

#include <asyncio/core/internal/reactor/reactor.h>

namespace asyncio::detail {

struct CallbackTimers::Timer : TimerNode {
  Timer(CallbackTimers& owner, std::uint64_t name, Duration every, const TimerOptions& how,
        UniqueFunction<void()> function)
      : TimerNode(&CallbackTimers::fire),
        timers(owner),
        id(name),
        interval(every),
        options(how),
        callback(std::move(function)) {}
  CallbackTimers& timers;
  std::uint64_t id;
  Duration interval;
  TimerOptions options;
  UniqueFunction<void()> callback;
};

CallbackTimers::CallbackTimers(Reactor& reactor) noexcept : reactor_(reactor) {}

CallbackTimers::~CallbackTimers() { clear(); }

void CallbackTimers::clear() noexcept {
  held_.clear();
  in_background_ = 0;
  const auto dropped = std::exchange(timers_, {});
  for (const auto& [id, timer] : dropped) reactor_.timers().disarm(*timer);
}

TimerId CallbackTimers::add(TimePoint first, Duration interval, const TimerOptions& options,
                            UniqueFunction<void()> callback) {
  const std::uint64_t id = next_id_++;
  auto timer = std::make_unique<Timer>(*this, id, interval, options, std::move(callback));
  Timer& node = *timer;
  timers_.emplace(id, std::move(timer));
  if (options.background) ++in_background_;
  reactor_.timers().arm(node, first);
  reactor_.tell_of_work();
  return TimerId{id};
}

bool CallbackTimers::remove(TimerId id) noexcept {
  // Out of the table first: what the callback holds may call back into this object when it is
  // destroyed.
  const auto removed = timers_.extract(id.value);
  if (removed.empty()) return false;
  if (removed.mapped()->options.background) --in_background_;
  reactor_.timers().disarm(*removed.mapped());
  std::erase(held_, static_cast<TimerNode*>(removed.mapped().get()));
  return true;
}

void CallbackTimers::fire(TimerNode& node) {
  auto& timer = static_cast<Timer&>(node);
  CallbackTimers& self = timer.timers;
  if (self.holding_) {
    self.held_.push_back(&node);
    return;
  }
  const TimerId id{timer.id};
  // The callback may remove its own timer, so what it runs from must not live in the timer.
  UniqueFunction<void()> callback = std::move(timer.callback);
  if (!timer.options.persistent) {
    self.remove(id);
    callback();
    return;
  }
  // Re-armed first, from the previous due time: no drift; what was missed is skipped, not replayed.
  TimePoint next = deadline_after(timer.deadline, timer.interval);
  const TimePoint now = self.reactor_.now();
  if (next <= now) {
    const auto missed = (now - timer.deadline) / timer.interval;
    next = deadline_after(timer.deadline, timer.interval * missed + timer.interval);
  }
  self.reactor_.timers().arm(timer, next);
  struct PutBack {
    CallbackTimers& timers;
    TimerId id;
    UniqueFunction<void()>& callback;
    ~PutBack() {
      const auto found = timers.timers_.find(id.value);
      if (found != timers.timers_.end()) found->second->callback = std::move(callback);
    }
  } put_back{self, id, callback};
  callback();
}

void CallbackTimers::hold(bool hold) {
  holding_ = hold;
  if (hold) return;
  for (TimerNode* node : held_) reactor_.timers().rearm_as_is(*node);
  held_.clear();
}

}  // namespace asyncio::detail

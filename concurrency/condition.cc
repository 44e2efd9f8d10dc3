#include <asyncio/concurrency/condition.h>

#include <string>

#include <asyncio/core/errors.h>
#include <asyncio/core/lowlevel/loop.h>

namespace asyncio {

// Stands in the condition's queue first and, once notified, in the mutex's.  The condition may be
// destroyed in either stage; the mutex may not.
struct Condition::Sleeper : lowlevel::WaitQueue::Place {
  explicit Sleeper(Condition& owner) noexcept : Place(kind), condition(&owner) {}

  // A task that leaves after it was notified passes the notification on.
  static void left(lowlevel::WaitQueue&, Place& place) noexcept {
    const auto& self = static_cast<Sleeper&>(place);
    if (self.notified && self.condition != nullptr) self.condition->pass_on(1);
  }
  static constexpr lowlevel::WaitQueue::Kind kind{"condition", &left};

  Condition* condition;  // null once that is gone
  bool notified = false;
};

Condition::~Condition() {
  unlink();
  mutex_.waiting_.for_each([this](lowlevel::WaitQueue::Place& place) {
    if (place.reason != &Sleeper::kind) return;
    auto& sleeper = static_cast<Sleeper&>(place);
    if (sleeper.condition == this) sleeper.condition = nullptr;
  });
}

void Condition::check_owned(const char* call) const {
  if (mutex_.owned_by_current_task()) return;
  throw InvalidStateError(std::string{call} + ": the caller does not own the mutex; lock it first");
}

TimePoint Condition::deadline_of(Duration limit) const {
  check_owned("Condition::wait_for");
  return deadline_after(lowlevel::now("Condition::wait_for"), limit);
}

void Condition::wait() { wait_impl(nullptr, "Condition::wait"); }
bool Condition::wait_until(TimePoint deadline) {
  return wait_impl(&deadline, "Condition::wait_for");
}

bool Condition::wait_impl(const TimePoint* deadline, const char* call) {
  lowlevel::CurrentTask self = lowlevel::enter(call);
  check_owned(call);
  Sleeper sleeper{*this};
  sleepers_.push_back(sleeper);
  Mutex& mutex = mutex_;
  mutex.hand_over();
  const lowlevel::Wake outcome =
      deadline == nullptr ? self.park(sleeper) : self.park_until(sleeper, *deadline);
  // The condition may be gone by now.
  if (outcome == lowlevel::Wake::completed) {
    mutex.check_intact(call);
    return true;  // the mutex came with the wake-up
  }
  mutex.lock_shielded(self);
  if (outcome == lowlevel::Wake::broken) {
    lowlevel::WaitQueue::throw_destroyed(call, Sleeper::kind.what);
  }
  self.checked(outcome);
  return false;
}

void Condition::notify(std::size_t n) {
  check_owned("Condition::notify");
  pass_on(n);
}

void Condition::pass_on(std::size_t n) noexcept {
  for (; n != 0 && !sleepers_.empty(); --n) {
    auto& sleeper = static_cast<Sleeper&>(*sleepers_.front());
    sleeper.notified = true;
    sleepers_.requeue(sleeper, mutex_.waiting_);  // locked now: an unlock brings its turn
  }
}

void Condition::give_up() noexcept { sleepers_.wake_all(); }  // each sees that the mutex is broken

}  // namespace asyncio

#include <asyncio/concurrency/condition.h>

#include <string>

#include <asyncio/core/errors.h>
#include <asyncio/core/internal/loop.h>

namespace asyncio {

// First in the condition's queue, then, once notified, in the mutex's.  The condition may be
// destroyed in either stage; the mutex may not.
struct Condition::Sleeper : detail::Waiter {
  explicit Sleeper(Condition& owner) noexcept
      : Waiter(detail::WaitKind::condition, &owner), condition(&owner), mutex(owner.mutex_) {
    abort = [](detail::Waiter& aborted) noexcept {
      auto& self = static_cast<Sleeper&>(aborted);
      self.unlink();
      if (self.notified) {
        --self.mutex.waiting_;
        if (self.condition != nullptr) self.condition->pass_on(1);
      }
      return true;
    };
  }
  Condition* condition;  // null once it is gone
  Mutex& mutex;
  bool notified = false;
};

Condition::~Condition() {
  unlink();
  mutex_.waiters_.for_each([this](detail::Waiter& waiter) {
    if (waiter.object != this) return;
    static_cast<Sleeper&>(waiter).condition = nullptr;
    waiter.object = nullptr;
  });
  while (detail::Waiter* waiter = waiters_.front()) detail::wake(*waiter, detail::Wake::broken);
}

void Condition::check_owned(const char* call) const {
  if (mutex_.owned_by_current_task()) return;
  throw InvalidStateError(std::string{call} + " without owning the mutex: lock it first");
}

TimePoint Condition::deadline_of(Duration limit) const {
  check_owned("Condition::wait_for");
  return deadline_after(detail::Loop::current()->reactor().now(), limit);
}

void Condition::wait() { wait_impl(nullptr, "Condition::wait"); }
bool Condition::wait_until(TimePoint deadline) {
  return wait_impl(&deadline, "Condition::wait_for");
}

bool Condition::wait_impl(const TimePoint* deadline, const char* call) {
  detail::TaskControl& self = detail::enter_wait(call);
  check_owned(call);
  Sleeper sleeper{*this};
  waiters_.push_back(sleeper);
  Mutex& mutex = mutex_;
  mutex.hand_over();
  const detail::Wake outcome = deadline == nullptr
                                   ? detail::suspend(self, sleeper)
                                   : detail::suspend_until(self, sleeper, *deadline);
  // The condition may be gone by now.
  if (outcome == detail::Wake::completed) {
    mutex.check_intact(call);
    return true;  // the mutex came with the wake-up
  }
  mutex.lock_shielded(self);
  if (outcome == detail::Wake::broken) {
    throw ClosedError(std::string{call} + ": the condition was destroyed while the task waited");
  }
  detail::rethrow_cancel(self, outcome);
  return false;
}

void Condition::notify(std::size_t n) {
  check_owned("Condition::notify");
  pass_on(n);
}

void Condition::pass_on(std::size_t n) noexcept {
  for (; n != 0; --n) {
    detail::Waiter* waiter = waiters_.pop_front();
    if (waiter == nullptr) return;
    static_cast<Sleeper*>(waiter)->notified = true;
    mutex_.enqueue(*waiter);  // it is locked: its turn comes with an unlock
  }
}

void Condition::give_up() noexcept {
  while (detail::Waiter* waiter = waiters_.front()) detail::wake(*waiter);  // each sees it broken
}

}  // namespace asyncio

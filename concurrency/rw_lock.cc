#include <asyncio/concurrency/rw_lock.h>

#include <string>
#include <utility>

#include <asyncio/core/errors.h>

namespace asyncio {

struct RwLock::Request : detail::Waiter {
  Request(RwLock& owner, bool wants_all) noexcept
      : Waiter(detail::WaitKind::rwlock, &owner), lock(owner), exclusive(wants_all) {
    abort = [](detail::Waiter& aborted) noexcept {
      auto& self = static_cast<Request&>(aborted);
      self.unlink();
      --self.lock.waiting_;
      self.lock.grant();  // a writer that goes lets the readers behind it in
      return true;
    };
  }
  RwLock& lock;
  bool exclusive;
};

RwLock::Holding::Holding(RwLock& held) noexcept
    : HeldLock(
          [](detail::HeldLock& died) noexcept { static_cast<Holding&>(died).lock.holder_died(); }),
      lock(held) {}

RwLock::~RwLock() {
  for (std::size_t i = 0; i < holders_; ++i) holdings_[i]->unlink();
  while (detail::Waiter* waiter = waiters_.front()) detail::wake(*waiter, detail::Wake::broken);
}

void RwLock::make_room(std::size_t holders) {
  while (holdings_.size() < holders) holdings_.push_back(std::make_unique<Holding>(*this));
}

void RwLock::check_intact(const char* call) const {
  if (!broken_) return;
  throw InvalidStateError(std::string{call} +
                          ": a task ended while it held this lock, so what it guards may be half "
                          "changed; use a lock guard");
}

bool RwLock::admit(detail::TaskControl& task, bool exclusive) noexcept {
  if (exclusive_ || (exclusive && holders_ != 0)) return false;
  Holding& holding = *holdings_[holders_++];
  holding.task = &task;
  task.held_locks.push_back(holding);
  exclusive_ = exclusive;
  ++acquired_;
  return true;
}

std::size_t RwLock::holding_of(const detail::TaskControl* task) const noexcept {
  std::size_t i = 0;
  while (i < holders_ && holdings_[i]->task != task) ++i;
  return i;
}

void RwLock::enter(bool exclusive, const char* call) {
  detail::TaskControl& self = detail::enter_wait(call);
  check_intact(call);
  if (holding_of(&self) != holders_) {
    throw InvalidStateError(std::string{call} + " by task '" + self.display_name() +
                            "', which holds the lock already, would never end; unlock it first");
  }
  make_room(holders_ + waiting_ + 1);
  if (waiters_.empty() && admit(self, exclusive)) {
    detail::spend_budget(self);
    return;
  }
  Request request{*this, exclusive};
  waiters_.push_back(request);
  ++waiting_;
  ++contended_;
  const detail::Wake outcome = detail::suspend(self, request);
  if (outcome == detail::Wake::broken) {
    throw ClosedError(std::string{call} + ": the lock was destroyed while the task waited");
  }
  detail::rethrow_cancel(self, outcome);
  check_intact(call);
}

void RwLock::lock() { enter(true, "RwLock::lock"); }
void RwLock::lock_shared() { enter(false, "RwLock::lock_shared"); }

bool RwLock::try_enter(bool exclusive, const char* call) {
  detail::TaskControl* self = detail::current_task_control();
  if (self == nullptr) throw NotInTaskError(std::string{call} + " outside a task: a task holds it");
  check_intact(call);
  make_room(holders_ + 1);
  return waiters_.empty() && admit(*self, exclusive);
}

bool RwLock::try_lock() { return try_enter(true, "RwLock::try_lock"); }
bool RwLock::try_lock_shared() { return try_enter(false, "RwLock::try_lock_shared"); }

void RwLock::leave(bool exclusive, const char* call) {
  if (broken_ && holders_ == 0) return;
  const detail::TaskControl* self = detail::current_task_control();
  const std::size_t held = holding_of(self);
  if (self == nullptr || held == holders_ || exclusive_ != exclusive) {
    throw InvalidStateError(std::string{call} + " by code that does not hold it for " +
                            (exclusive ? "writing" : "reading") +
                            ": the task that locked it unlocks it");
  }
  holdings_[held]->unlink();
  std::swap(holdings_[held], holdings_[--holders_]);
  exclusive_ = false;
  grant();
}

void RwLock::unlock() { leave(true, "RwLock::unlock"); }
void RwLock::unlock_shared() { leave(false, "RwLock::unlock_shared"); }

void RwLock::grant() noexcept {
  while (detail::Waiter* waiter = waiters_.front()) {
    if (!admit(*waiter->task, static_cast<Request*>(waiter)->exclusive)) return;
    --waiting_;
    detail::wake(*waiter);
  }
}

void RwLock::holder_died() noexcept {
  broken_ = true;
  for (std::size_t i = 0; i < holders_; ++i) holdings_[i]->unlink();
  holders_ = 0;
  exclusive_ = false;
  waiting_ = 0;
  while (detail::Waiter* waiter = waiters_.front()) detail::wake(*waiter);  // each sees it broken
}

}  // namespace asyncio

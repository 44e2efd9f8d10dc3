#include <asyncio/concurrency/mutex.h>

#include <string>

#include <asyncio/concurrency/condition.h>
#include <asyncio/core/errors.h>

namespace asyncio {
namespace {

struct LockWaiter : detail::Waiter {
  LockWaiter(Mutex& mutex, std::size_t& count) noexcept
      : Waiter(detail::WaitKind::mutex, &mutex), waiting(count) {
    abort = [](detail::Waiter& aborted) noexcept {
      auto& self = static_cast<LockWaiter&>(aborted);
      self.unlink();
      --self.waiting;
      return true;
    };
  }
  std::size_t& waiting;
};

}  // namespace

Mutex::Holding::Holding(Mutex& held) noexcept
    : HeldLock(
          [](detail::HeldLock& lock) noexcept { static_cast<Holding&>(lock).mutex.owner_died(); }),
      mutex(held) {}

Mutex::Mutex() noexcept : holding_(*this) {}

Mutex::~Mutex() {
  holding_.unlink();
  while (detail::Waiter* waiter = waiters_.front()) {
    detail::wake(*waiter, detail::Wake::broken);
  }
}

bool Mutex::owned_by_current_task() const noexcept {
  return owner_ != nullptr && owner_ == detail::current_task_control();
}

void Mutex::check_intact(const char* call) const {
  if (!broken_) return;
  throw InvalidStateError(std::string{call} +
                          ": a task ended while it owned this mutex, so what it guards may be half "
                          "changed; use a lock guard");
}

void Mutex::give_to(detail::TaskControl& task) noexcept {
  owner_ = &task;
  ++acquired_;
  task.held_locks.push_back(holding_);
}

bool Mutex::try_lock() {
  check_intact("Mutex::try_lock");
  detail::TaskControl* self = detail::current_task_control();
  if (self == nullptr) {
    throw NotInTaskError("Mutex::try_lock outside a task: a mutex is owned by a task");
  }
  if (owner_ != nullptr) return false;
  give_to(*self);
  return true;
}

void Mutex::lock() {
  detail::TaskControl& self = detail::enter_wait("Mutex::lock");
  check_intact("Mutex::lock");
  if (owner_ == &self) {
    throw InvalidStateError("Mutex::lock by task '" + self.display_name() +
                            "', which owns it already, would never end");
  }
  if (owner_ == nullptr) {
    give_to(self);
    detail::spend_budget(self);
    return;
  }
  wait_in_line(self);
}

void Mutex::wait_in_line(detail::TaskControl& self) {
  LockWaiter waiter{*this, waiting_};
  enqueue(waiter);
  ++contended_;
  const detail::Wake outcome = detail::suspend(self, waiter);
  if (outcome == detail::Wake::broken) {
    throw ClosedError("Mutex::lock: the mutex was destroyed while the task waited");
  }
  detail::rethrow_cancel(self, outcome);
  check_intact("Mutex::lock");
}

void Mutex::lock_shielded(detail::TaskControl& self) {
  if (owner_ == nullptr) {
    give_to(self);
    return;
  }
  const detail::NoCancel shielded{self};
  wait_in_line(self);
}

void Mutex::enqueue(detail::Waiter& waiter) noexcept {
  waiters_.push_back(waiter);
  ++waiting_;
}

void Mutex::unlock() {
  if (broken_ && owner_ == nullptr) return;
  if (!owned_by_current_task()) {
    const detail::TaskControl* self = detail::current_task_control();
    throw InvalidStateError("Mutex::unlock by " +
                            (self == nullptr ? std::string{"code outside any task"}
                                             : "task '" + self->display_name() + "'") +
                            (owner_ == nullptr
                                 ? ", but it is not locked"
                                 : ", but task '" + owner_->display_name() + "' owns it") +
                            "; the task that locked it unlocks it");
  }
  hand_over();
}

void Mutex::hand_over() noexcept {
  holding_.unlink();
  owner_ = nullptr;
  if (detail::Waiter* next = waiters_.front()) {
    --waiting_;
    give_to(*next->task);
    detail::wake(*next);
  }
}

void Mutex::owner_died() noexcept {
  owner_ = nullptr;
  broken_ = true;
  while (detail::Waiter* waiter = waiters_.front()) {
    --waiting_;
    detail::wake(*waiter);  // each sees that it is broken
  }
  conditions_.for_each([](detail::ListNode& node) { static_cast<Condition&>(node).give_up(); });
}

}  // namespace asyncio

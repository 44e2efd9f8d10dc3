#include <asyncio/concurrency/rw_lock.h>

#include <algorithm>
#include <string>

#include <asyncio/core/detail/task_control.h>
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

RwLock::~RwLock() {
  while (detail::Waiter* waiter = waiters_.front()) detail::wake(*waiter, detail::Wake::broken);
}

bool RwLock::admit(detail::TaskControl& task, bool exclusive) {
  if (writer_ != nullptr || (exclusive && !readers_.empty())) return false;
  if (exclusive) {
    writer_ = &task;
  } else {
    readers_.push_back(&task);
  }
  ++acquired_;
  return true;
}

void RwLock::enter(bool exclusive, const char* call) {
  detail::TaskControl& self = detail::enter_wait(call);
  if (writer_ == &self || std::find(readers_.begin(), readers_.end(), &self) != readers_.end()) {
    throw InvalidStateError(std::string{call} + " by task '" + self.display_name() +
                            "', which holds the lock already, would never end; unlock it first");
  }
  if (waiters_.empty() && admit(self, exclusive)) {
    detail::spend_budget(self);
    return;
  }
  readers_.reserve(readers_.size() + waiting_ + 1);
  Request request{*this, exclusive};
  waiters_.push_back(request);
  ++waiting_;
  ++contended_;
  const detail::Wake outcome = detail::suspend(self, request);
  if (outcome == detail::Wake::broken) {
    throw ClosedError(std::string{call} + ": the lock was destroyed while the task waited");
  }
  detail::rethrow_cancel(self, outcome);
}

void RwLock::lock() { enter(true, "RwLock::lock"); }
void RwLock::lock_shared() { enter(false, "RwLock::lock_shared"); }

namespace {
detail::TaskControl& task_or_throw(const char* call) {
  detail::TaskControl* self = detail::current_task_control();
  if (self == nullptr) throw NotInTaskError(std::string{call} + " outside a task: a task holds it");
  return *self;
}
}  // namespace

bool RwLock::try_lock() {
  detail::TaskControl& self = task_or_throw("RwLock::try_lock");
  return waiters_.empty() && admit(self, true);
}

bool RwLock::try_lock_shared() {
  detail::TaskControl& self = task_or_throw("RwLock::try_lock_shared");
  return waiters_.empty() && admit(self, false);
}

void RwLock::unlock() {
  if (writer_ == nullptr || writer_ != detail::current_task_control()) {
    throw InvalidStateError(
        "RwLock::unlock by code that does not hold it for writing: the task that "
        "locked it unlocks it");
  }
  writer_ = nullptr;
  grant();
}

void RwLock::unlock_shared() {
  const auto held = std::find(readers_.begin(), readers_.end(), detail::current_task_control());
  if (held == readers_.end()) {
    throw InvalidStateError(
        "RwLock::unlock_shared by code that does not hold it for reading: the "
        "task that locked it unlocks it");
  }
  *held = readers_.back();
  readers_.pop_back();
  grant();
}

void RwLock::grant() noexcept {
  while (detail::Waiter* waiter = waiters_.front()) {
    if (!admit(*waiter->task, static_cast<Request*>(waiter)->exclusive)) return;
    --waiting_;
    detail::wake(*waiter);
  }
}

}  // namespace asyncio

#include <asyncio/concurrency/mutex.h>

#include <string>

#include <asyncio/concurrency/condition.h>
#include <asyncio/core/errors.h>

namespace asyncio {
namespace {

constexpr lowlevel::WaitQueue::Kind mutex_wait{"mutex"};

}  // namespace

Mutex::Holding::Holding(Mutex& held) noexcept
    : Ownership([](Ownership& owned) noexcept { static_cast<Holding&>(owned).mutex.owner_died(); }),
      mutex(held) {}

Mutex::Mutex() noexcept : holding_(*this) {}

void Mutex::check_intact(const char* call) const {
  if (!broken_) return;
  throw InvalidStateError(std::string{call} +
                          ": a task ended while it owned this mutex, so what it guards may be half "
                          "changed; use a lock guard");
}

template <class Task>
void Mutex::give_to(const Task& task) noexcept {
  holding_.give_to(task);
  ++acquired_;
}

bool Mutex::try_lock() {
  check_intact("Mutex::try_lock");
  const lowlevel::CurrentTask self = lowlevel::current("Mutex::try_lock");
  if (holding_.has_owner()) return false;
  give_to(self);
  return true;
}

void Mutex::lock() {
  lowlevel::CurrentTask self = lowlevel::enter("Mutex::lock");
  check_intact("Mutex::lock");
  if (holding_.is_mine()) {
    throw InvalidStateError("Mutex::lock: task '" + self.name() + "' owns this mutex already");
  }
  if (holding_.has_owner()) return wait_in_line(self);
  give_to(self);
  self.spend();
}

void Mutex::wait_in_line(lowlevel::CurrentTask self) {
  ++contended_;
  waiting_.wait(self, mutex_wait, "Mutex::lock");
  check_intact("Mutex::lock");
}

void Mutex::lock_shielded(lowlevel::CurrentTask self) {
  if (!holding_.has_owner()) {
    check_intact("Mutex::lock");
    return give_to(self);
  }
  const lowlevel::NoCancel shielded{self};
  wait_in_line(self);
}

void Mutex::unlock() {
  if (broken_ && !holding_.has_owner()) return;
  if (!holding_.is_mine()) {
    throw InvalidStateError(
        "Mutex::unlock: " +
        (lowlevel::in_task() ? "task '" + lowlevel::current("Mutex::unlock").name() + "'"
                             : std::string{"code outside any task"}) +
        " does not own this mutex; " +
        (holding_.has_owner() ? "task '" + holding_.owner_name() + "' does, and must unlock it"
                              : "it is not locked"));
  }
  hand_over();
}

void Mutex::hand_over() noexcept {
  holding_.end();
  if (lowlevel::WaitQueue::Place* next = waiting_.front()) {
    give_to(*next);
    waiting_.wake(*next);
  }
}

void Mutex::owner_died() noexcept {
  broken_ = true;
  waiting_.wake_all();  // each sees that it is broken
  conditions_.for_each([](lowlevel::ListNode& node) { static_cast<Condition&>(node).give_up(); });
}

}  // namespace asyncio

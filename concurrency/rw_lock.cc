#include <asyncio/concurrency/rw_lock.h>

#include <string>
#include <utility>

#include <asyncio/core/errors.h>

namespace asyncio {

struct RwLock::Request : lowlevel::WaitQueue::Place {
  Request(RwLock& owner, bool wants_all) noexcept
      : Place(kind), lock(owner), exclusive(wants_all) {}

  // A writer that leaves lets in the readers behind it.
  static void left(lowlevel::WaitQueue&, Place& place) noexcept {
    static_cast<Request&>(place).lock.grant();
  }
  static constexpr lowlevel::WaitQueue::Kind kind{"rwlock", &left};

  RwLock& lock;
  bool exclusive;
};

RwLock::Holding::Holding(RwLock& held) noexcept
    : Ownership([](Ownership& owned) noexcept { static_cast<Holding&>(owned).lock.holder_died(); }),
      lock(held) {}

void RwLock::make_room(std::size_t holders) {
  while (holdings_.size() < holders) holdings_.push_back(std::make_unique<Holding>(*this));
}

void RwLock::check_intact(const char* call) const {
  if (!broken_) return;
  throw InvalidStateError(std::string{call} +
                          ": a task ended while it held this lock, so what it guards may be half "
                          "changed; use a lock guard");
}

template <class Task>
bool RwLock::admit(const Task& task, bool exclusive) noexcept {
  if (exclusive_ || (exclusive && holders_ != 0)) return false;
  holdings_[holders_++]->give_to(task);
  exclusive_ = exclusive;
  ++acquired_;
  return true;
}

std::size_t RwLock::mine() const noexcept {
  std::size_t i = 0;
  while (i < holders_ && !holdings_[i]->is_mine()) ++i;
  return i;
}

void RwLock::enter(bool exclusive, const char* call) {
  lowlevel::CurrentTask self = lowlevel::enter(call);
  check_intact(call);
  if (mine() != holders_) {
    throw InvalidStateError(std::string{call} + ": task '" + self.name() +
                            "' holds this lock already; unlock it first");
  }
  make_room(holders_ + waiting_.size() + 1);
  if (waiting_.empty() && admit(self, exclusive)) return self.spend();
  Request request{*this, exclusive};
  ++contended_;
  if (waiting_.wait(self, request) == lowlevel::Wake::broken) {
    lowlevel::WaitQueue::throw_destroyed(call, "lock");
  }
  check_intact(call);
}

void RwLock::lock() { enter(true, "RwLock::lock"); }
void RwLock::lock_shared() { enter(false, "RwLock::lock_shared"); }

bool RwLock::try_enter(bool exclusive, const char* call) {
  const lowlevel::CurrentTask self = lowlevel::current(call);
  check_intact(call);
  make_room(holders_ + 1);
  return waiting_.empty() && admit(self, exclusive);
}

bool RwLock::try_lock() { return try_enter(true, "RwLock::try_lock"); }
bool RwLock::try_lock_shared() { return try_enter(false, "RwLock::try_lock_shared"); }

void RwLock::leave(bool exclusive, const char* call) {
  if (broken_ && holders_ == 0) return;
  const std::size_t held = mine();
  if (held == holders_ || exclusive_ != exclusive) {
    throw InvalidStateError(
        std::string{call} + std::string{": the caller does not hold this lock for "} +
        (exclusive ? "writing" : "reading") + "; only the task that locked it may unlock it");
  }
  holdings_[held]->end();
  std::swap(holdings_[held], holdings_[--holders_]);
  exclusive_ = false;
  grant();
}

void RwLock::unlock() { leave(true, "RwLock::unlock"); }
void RwLock::unlock_shared() { leave(false, "RwLock::unlock_shared"); }

void RwLock::grant() noexcept {
  while (lowlevel::WaitQueue::Place* place = waiting_.front()) {
    if (!admit(*place, static_cast<Request*>(place)->exclusive)) return;
    waiting_.wake(*place);
  }
}

void RwLock::holder_died() noexcept {
  broken_ = true;
  for (std::size_t i = 0; i < holders_; ++i) holdings_[i]->end();
  holders_ = 0;
  exclusive_ = false;
  waiting_.wake_all();  // each sees that it is broken
}

}  // namespace asyncio

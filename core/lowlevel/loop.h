// The few services of a loop that a primitive may need.  To leave something for a loop from another
// thread, see LoopHandle; for the innermost scope, CancellationScope::current().
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <string>

#include <asyncio/core/export.h>
#include <asyncio/core/time.h>
#include <asyncio/core/unique_function.h>

namespace asyncio {
class EventLoop;
}

namespace asyncio::detail {

class Inbox;
class Scheduler;

struct LoopSlotValue {
  virtual ~LoopSlotValue() = default;
};
/// Returns what the running loop keeps under `key`, made by `make` if there is nothing yet.
/// Throws: NoRunningLoopError; what `make` throws.
ASYNCIO_API LoopSlotValue& loop_slot(const void* key, std::unique_ptr<LoopSlotValue> (*make)(),
                                     const char* call);

}  // namespace asyncio::detail

namespace asyncio::lowlevel {

class OwnedDescriptor;

/// A loop, as known to an object that was made on it and may outlive it.
///
/// Threads: check() and the two questions may be asked on any thread.  Everything else belongs to
/// the loop's thread, and requires that check() has passed.
class ASYNCIO_API LoopRef {
 public:
  /// Refers to the loop that runs on this thread.  `call` names the caller.
  /// Throws: NoRunningLoopError.
  explicit LoopRef(const char* call);
  /// Refers to `loop`.
  /// Throws: InvalidStateError on a thread other than the loop's, and in a forked child before
  /// after_fork().
  LoopRef(EventLoop& loop, const char* call);

  /// Throws InvalidStateError on a thread other than the loop's, and ClosedError if the loop is
  /// gone.  `call` names the caller, and `what` the thing that belongs to the loop, such as
  /// "future".
  void check(const char* call, const char* what) const;
  /// Is it the loop that runs on this thread?
  bool is_running_here() const noexcept;
  /// Is it a loop of this thread, and not gone?  It need not run.
  bool is_reachable() const noexcept;

  /// Its time: real, or virtual in tests.
  TimePoint now() const noexcept;
  /// Calls `callback` in the next turn, in order.  What it throws is reported.
  void call_soon(UniqueFunction<void()> callback) const;
  /// Tells the exception handler, or stderr if there is none.
  void report(const std::string& message, const std::exception_ptr& exception) const noexcept;

 private:
  friend class OwnedDescriptor;

  detail::Scheduler* scheduler_;
  detail::Inbox* inbox_;  ///< is never freed, so it can tell when the loop is gone
  std::uint64_t epoch_;
};

/// The time of the loop that runs on this thread: real, or virtual in tests.
/// Throws: NoRunningLoopError.  `call` names the caller.
ASYNCIO_API TimePoint now(const char* call);

/// How many forks lie between the start of the program and this process.  An object that must not
/// be used in a child, such as a connection to a server, notes it and compares.
/// Threads: any.
/// Cost: a load.
ASYNCIO_API std::uint64_t fork_count() noexcept;

/// One T for each loop, made when first asked for.  The loop destroys it after every task has
/// ended, the last one made first.  Its destructor runs outside any task, and may use the loop as a
/// callback may.
///
/// Declare it with static storage duration: `static LoopSlot<Cache> cache;`
template <class T>
class LoopSlot {
 public:
  LoopSlot() = default;
  LoopSlot(const LoopSlot&) = delete;
  LoopSlot& operator=(const LoopSlot&) = delete;

  /// Returns the T of the loop that runs on this thread.  `call` names the caller.
  /// Throws: NoRunningLoopError; what T's constructor throws.
  /// Cost: a lookup in a hash table.
  T& here(const char* call) {
    struct Holder final : detail::LoopSlotValue {
      T value{};
    };
    constexpr auto make = []() -> std::unique_ptr<detail::LoopSlotValue> {
      return std::make_unique<Holder>();
    };
    return static_cast<Holder&>(detail::loop_slot(this, make, call)).value;
  }
};

}  // namespace asyncio::lowlevel

// A file descriptor with one owner, who knows when its number begins to stand for something and
// when it ends.  So nothing has to be checked: a wait costs what it would cost by hand.
#pragma once

#include <cstdint>
#include <utility>

#include <asyncio/core/export.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/loop.h>
#include <asyncio/core/time.h>

namespace asyncio::lowlevel {

/// What a wait for a descriptor is for.
enum class Direction : std::uint8_t { read = 0, write = 1 };

/// Owns a non-blocking descriptor, which belongs to the loop it was taken over in.
///
/// One task at a time may wait in each direction, and any task may.  Moving the object is allowed
/// while tasks wait by it.
/// Requires: nobody else closes the descriptor.
/// Threads: the loop's thread, except for the destructor and close().
class ASYNCIO_API OwnedDescriptor {
 public:
  /// Takes `fd` over, for the loop that runs on this thread.  `call` names the caller.
  /// Throws: NoRunningLoopError; BusyError if a task waits on the descriptor by its number;
  /// std::invalid_argument if `fd` is negative.  Then the caller still owns it.
  OwnedDescriptor(int fd, const char* call);
  /// Leaves `other` closed.
  OwnedDescriptor(OwnedDescriptor&& other) noexcept
      : loop_(other.loop_), fd_(std::exchange(other.fd_, -1)) {}
  OwnedDescriptor& operator=(OwnedDescriptor&& other) noexcept;
  ~OwnedDescriptor() { close(); }

  /// The number, or -1 once it is closed or released.
  int fd() const noexcept { return fd_; }
  bool is_open() const noexcept { return fd_ >= 0; }
  /// The loop that it belongs to.
  const LoopRef& loop() const noexcept { return loop_; }

  /// Every operation that does without a wait begins with this.  `call` is its name.
  /// Throws: ClosedError if it is closed; InvalidStateError in another loop or thread than its own.
  void check(const char* call) const;

  /// Parks the task until a read (a write) would not block.  `call` is the operation's name.
  /// Suspends: always.
  /// Cancels: Cancelled; another task may wait at once, and unread data stays.
  /// Throws: ClosedError if it is closed or released, before or meanwhile; BusyError if another
  /// task waits in that direction; FdError if it cannot be watched; InvalidStateError in another
  /// loop or thread than its own.
  /// Cost: the first wait in a direction is one system call, later ones are a share of the loop's
  /// own.  No allocation.
  void wait(CurrentTask self, Direction direction, const char* call);
  /// As wait(), but only until `deadline`.  Returns false if that has come.
  bool wait_until(CurrentTask self, Direction direction, TimePoint deadline, const char* call);

  /// Closes it.  Tasks that wait by it get ClosedError.  Harmless if it is closed already.
  /// Suspends: never.
  /// Threads: any, also when the loop is gone, unless a task waits by it.
  void close() noexcept;
  /// Gives the descriptor to the caller, open.  Tasks that wait by it get ClosedError.
  /// Returns -1 if it is closed.
  /// Suspends: never.
  int release() noexcept;

 private:
  /// Takes it out of what the loop watches.
  void forget() noexcept;

  LoopRef loop_;
  int fd_;
};

}  // namespace asyncio::lowlevel

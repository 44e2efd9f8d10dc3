// Ownership of a thing by a task, and what happens if the task ends before it lets go.
#pragma once

#include <string>

#include <asyncio/core/export.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/list.h>
#include <asyncio/core/lowlevel/waiter.h>

namespace asyncio::lowlevel {

/// One thing that one task at a time may own, such as a mutex.  It has no owner when it is made.
///
/// A task that ends as the owner leaves the thing ownerless, and `abandoned` is called, because the
/// waiters have to hear of it and what the thing guards may be half changed.
/// Threads: the loop's thread.
class ASYNCIO_API Ownership : private ListNode {
 public:
  /// `abandoned` runs at the end of the owner, in no particular task; it runs no user code.
  explicit Ownership(void (*abandoned)(Ownership& owned) noexcept) noexcept
      : abandoned_(abandoned) {}
  ~Ownership() { end(); }

  /// Requires: it has no owner.
  void give_to(CurrentTask task) noexcept;
  /// Gives it to the task that is parked in `waiter`.  Requires: it has no owner.
  void give_to(const Waiter& waiter) noexcept;
  /// Harmless without an owner.
  void end() noexcept {
    unlink();
    owner_ = nullptr;
  }

  bool has_owner() const noexcept { return owner_ != nullptr; }
  /// Is the task that runs the owner?
  bool is_mine() const noexcept;
  /// Requires: it has an owner.
  std::string owner_name() const;

  /// For the library: takes every such thing from a task that has ended.
  static void abandon_all(List<Ownership>& of_task) noexcept;

 private:
  friend class List<Ownership>;

  void (*abandoned_)(Ownership&) noexcept;
  detail::TaskControl* owner_ = nullptr;
};

}  // namespace asyncio::lowlevel

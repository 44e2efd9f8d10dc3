// Code that must not suspend.
#pragma once

#include <asyncio/core/export.h>

namespace asyncio {

namespace detail {
class TaskControl;
}

/// While alive, a suspending call of this task is InvalidStateError instead: for critical sections
/// that rely on nobody else running, and around C callbacks that must not be left by an unwind.
/// Throws: NotInTaskError.
class ASYNCIO_API NoSuspend {
 public:
  NoSuspend();
  ~NoSuspend();
  NoSuspend(const NoSuspend&) = delete;
  NoSuspend& operator=(const NoSuspend&) = delete;

 private:
  detail::TaskControl& task_;
};

}  // namespace asyncio

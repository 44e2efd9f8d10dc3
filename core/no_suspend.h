// Code that must not suspend.
#pragma once

#include <asyncio/core/export.h>

namespace asyncio {

namespace detail {
class TaskControl;
}

/// While one is alive, a suspending call of this task throws InvalidStateError instead.  It is for
/// critical sections that rely on nobody else running, and for C callbacks that must not be
/// unwound.
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

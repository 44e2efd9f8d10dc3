#include <asyncio/core/errors.h>

#include <utility>

namespace asyncio {

// Out of line, so that each type's identity lives in one shared object: a `catch` across a library
// boundary depends on it.
Error::Error(const std::string& message) : std::runtime_error(message) {}
Error::Error(const Error&) noexcept = default;
Error& Error::operator=(const Error&) noexcept = default;
Error::~Error() = default;
InvalidStateError::~InvalidStateError() = default;
NoRunningLoopError::~NoRunningLoopError() = default;
NotInTaskError::~NotInTaskError() = default;
NestedRunError::~NestedRunError() = default;
DeadlockError::~DeadlockError() = default;
BackendError::~BackendError() = default;
BusyError::~BusyError() = default;
ClosedError::~ClosedError() = default;
FdError::FdError(const std::string& message, int code) : Error(message), code_(code) {}
FdError::~FdError() = default;
TimeoutException::~TimeoutException() = default;

TaskCancelledException::TaskCancelledException(const std::string& message,
                                               std::shared_ptr<const detail::CancelCause> cause)
    : Error(message), cause_(std::move(cause)) {}
TaskCancelledException::~TaskCancelledException() = default;

Cancelled::Cancelled(std::shared_ptr<const detail::CancelCause> cause) noexcept
    : cause_(std::move(cause)) {}
Cancelled::Cancelled(const Cancelled&) noexcept = default;
Cancelled& Cancelled::operator=(const Cancelled&) noexcept = default;
Cancelled::~Cancelled() = default;

std::string_view to_string(CancelReason reason) noexcept {
  switch (reason) {
    case CancelReason::user:
      return "user";
    case CancelReason::deadline:
      return "deadline";
    case CancelReason::sibling_failed:
      return "sibling_failed";
    case CancelReason::parent:
      return "parent";
    case CancelReason::shutdown:
      return "shutdown";
    case CancelReason::abandoned:
      return "abandoned";
  }
  return "?";
}

}  // namespace asyncio

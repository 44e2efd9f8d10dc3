// Everything the library throws, and the one thing it throws that is not an error (Cancelled).
//
// A message says what was called, why it cannot work, and the right call.
#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include <asyncio/core/export.h>

namespace asyncio {

/// Base of every misuse and failure of the library.
class ASYNCIO_API Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message);
  Error(const Error&) noexcept;
  Error& operator=(const Error&) noexcept;
  ~Error() override;
};

/// The object's state rules the call out: a second set_result, a scope entered twice, an ended
/// group.
class ASYNCIO_API InvalidStateError : public Error {
 public:
  using Error::Error;
  ~InvalidStateError() override;
};

/// The call needs a loop on this thread and there is none.
class ASYNCIO_API NoRunningLoopError : public Error {
 public:
  using Error::Error;
  ~NoRunningLoopError() override;
};

/// The call needs a task around it: it was made from a loop callback or a plain thread.
class ASYNCIO_API NotInTaskError : public Error {
 public:
  using Error::Error;
  ~NotInTaskError() override;
};

/// run() was called inside a running loop.
class ASYNCIO_API NestedRunError : public Error {
 public:
  using Error::Error;
  ~NestedRunError() override;
};

/// Tasks wait for each other, or for nothing that could ever happen.  The message lists them.
class ASYNCIO_API DeadlockError : public Error {
 public:
  using Error::Error;
  ~DeadlockError() override;
};

/// A backend is unknown, not compiled in, or could not be created.
class ASYNCIO_API BackendError : public Error {
 public:
  using Error::Error;
  ~BackendError() override;
};

/// A second task waits on the same file descriptor in the same direction.
class ASYNCIO_API BusyError : public Error {
 public:
  using Error::Error;
  ~BusyError() override;
};

/// The queue, loop or descriptor the call works on has been closed.
class ASYNCIO_API ClosedError : public Error {
 public:
  using Error::Error;
  ~ClosedError() override;
};

/// A file descriptor cannot be watched; code() is the errno.
class ASYNCIO_API FdError : public Error {
 public:
  FdError(const std::string& message, int code);
  ~FdError() override;
  int code() const noexcept { return code_; }

 private:
  int code_;
};

/// The time given to wait_for, timeout, shield_for or a scope ran out.
class ASYNCIO_API TimeoutException : public Error {
 public:
  using Error::Error;
  ~TimeoutException() override;
};

/// Why a cancellation was asked for.
enum class CancelReason : std::uint8_t {
  user,            ///< somebody called cancel()
  deadline,        ///< a scope's deadline passed
  sibling_failed,  ///< another task of the group or gather failed
  parent,          ///< an enclosing scope was cancelled
  shutdown,        ///< the loop is ending
  abandoned,       ///< whoever waited for the work went away
};

/// The enumerator's name, in lower case.
ASYNCIO_API std::string_view to_string(CancelReason reason) noexcept;

namespace detail {

/// What travels with a cancellation, shared by all who see it.  Immutable once made.
struct CancelCause {
  CancelReason reason = CancelReason::user;
  std::string text;    ///< what the caller of cancel(text) said
  std::string source;  ///< name of the task or scope that did it
};

struct CancelledAccess;

}  // namespace detail

/// Thrown by await, gather and result() for a task that *ended* cancelled.  An ordinary error: the
/// caller itself is not being cancelled.
class ASYNCIO_API TaskCancelledException : public Error {
 public:
  TaskCancelledException(const std::string& message,
                         std::shared_ptr<const detail::CancelCause> cause);
  ~TaskCancelledException() override;

  CancelReason reason() const noexcept { return cause_->reason; }
  /// The text given to cancel(), or empty.
  const std::string& text() const noexcept { return cause_->text; }
  /// Name of the task or scope that cancelled, or empty for code outside any task.
  const std::string& source() const noexcept { return cause_->source; }

 private:
  std::shared_ptr<const detail::CancelCause> cause_;
};

/// Thrown *inside* the task that is being cancelled, by any call that may suspend.
///
/// Let it go through: it unwinds the task, running destructors.  It derives from nothing, so
/// `catch (const std::exception&)` does not catch it.  If `catch (...)` swallows it, the next
/// suspending call throws it again (cancellation is level-triggered).
class ASYNCIO_API Cancelled {
 public:
  Cancelled(const Cancelled&) noexcept;
  Cancelled& operator=(const Cancelled&) noexcept;
  ~Cancelled();

  CancelReason reason() const noexcept { return cause_->reason; }
  const std::string& text() const noexcept { return cause_->text; }
  const std::string& source() const noexcept { return cause_->source; }

 private:
  friend struct detail::CancelledAccess;
  explicit Cancelled(std::shared_ptr<const detail::CancelCause> cause) noexcept;

  std::shared_ptr<const detail::CancelCause> cause_;
};

}  // namespace asyncio

#include <asyncio/core/exception_group.h>

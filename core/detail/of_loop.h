// What the other modules ask of a loop.  They know it only as its scheduler.
#pragma once

#include <exception>
#include <string>

#include <asyncio/core/export.h>
#include <asyncio/core/time.h>

namespace asyncio::detail {

class Scheduler;

/// Returns the scheduler of the loop that runs on this thread, or null.
ASYNCIO_API Scheduler* running_scheduler_or_null() noexcept;
/// Throws: NoRunningLoopError if there is none.  `call` names the caller.
ASYNCIO_API Scheduler& running_scheduler_or_throw(const char* call);
/// Throws NoRunningLoopError with the way out: asyncio::run(...) or, in a program whose loop is a
/// guest and has no run, a member of the loop.
[[noreturn]] ASYNCIO_API void throw_no_running_loop(const char* call);
/// Names, for the end of a message, where tasks come from: likewise.
ASYNCIO_API const char* where_tasks_start() noexcept;

/// Throws InvalidStateError on a thread other than the loop's, and where another loop runs.  `call`
/// names the caller, and `what` the thing that belongs to the loop.
ASYNCIO_API void check_here(const Scheduler& scheduler, const char* call, const char* what);

/// The loop's time.
ASYNCIO_API TimePoint now_of(const Scheduler& scheduler) noexcept;

/// Tells the loop's exception handler, or stderr if there is none.
ASYNCIO_API void report(const Scheduler& scheduler, const std::string& message,
                        const std::exception_ptr& exception) noexcept;

/// How many exceptions are unwinding the stack of the running task.  Requires: a task runs.
ASYNCIO_API unsigned exceptions_in_flight() noexcept;

}  // namespace asyncio::detail

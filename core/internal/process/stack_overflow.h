// A task that runs into its guard ends the process with a message that names it.
#pragma once

namespace asyncio::detail {

/// Installs the SIGSEGV handler of the process; calls are counted.  The earlier handler is kept and
/// called after ours.
void install_stack_overflow_report() noexcept;
/// The last call puts the earlier handler back, unless somebody has replaced ours since.
void uninstall_stack_overflow_report() noexcept;

/// Gives this thread a stack for the handler to run on, unless it has one: the task's own is full.
void use_alternate_signal_stack() noexcept;

}  // namespace asyncio::detail

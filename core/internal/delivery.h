// Ending a wait from outside.
#pragma once

#include <asyncio/core/lowlevel/waiter.h>

namespace asyncio::detail {

/// Asks for the wait to be undone, at most once for each wait.  Returns whether it is undone.
bool undo_wait(lowlevel::Waiter& waiter) noexcept;

}  // namespace asyncio::detail

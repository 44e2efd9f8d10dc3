// Ending a wait from outside.
#pragma once

#include <asyncio/core/lowlevel/waiter.h>

namespace asyncio::detail {

/// Asks the wait to be undone.  Returns whether it is.  To be asked at most once for each wait.
bool undo_wait(lowlevel::Waiter& waiter) noexcept;

}  // namespace asyncio::detail

// Callbacks that are told when something ends.
#pragma once

#include <asyncio/core/unique_function.h>

namespace asyncio::detail {

class Scheduler;

/// Calls `callback` in the next turn; what it throws is reported.
void call_soon_reporting(Scheduler& scheduler, UniqueFunction<void()> callback);

}  // namespace asyncio::detail

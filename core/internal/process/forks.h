// A loop that the parent made, in the child of a fork.
#pragma once

#include <asyncio/core/internal/rooms.h>

namespace asyncio::detail {

/// Makes a loop that the parent made usable in the child, apart from the parent's.
/// Throws: BackendError.
void carry_on_in_child(const Rooms& rooms);

/// Throws InvalidStateError in a forked child, if `reactor` was made by the parent and after_fork()
/// has not been called.  `call` names the caller.
void check_fork(const Reactor& reactor, const char* call);

}  // namespace asyncio::detail

// The bare switch of stacks: registers and floating-point control words, nothing else.
//
// On x86-64 the project has its own (stack_switch_x86_64.cc), because of how processors predict
// returns.  Elsewhere, and with the build option -Dcontext=boost, it uses Boost.Context's
// (stack_switch_boost.cc).
//
// A context is a pointer to its saved state, which lies on its own stack.
#pragma once

#include <cstddef>

namespace asyncio::detail {

/// Makes a context that calls `entry`, which must not return, when first switched to.  Its frames
/// begin below `top`, where it has `size` bytes.
void* make_context(std::byte* top, std::size_t size, void (*entry)()) noexcept;

}  // namespace asyncio::detail

extern "C" {
/// Parks the running context as `*saved`, and goes on in `to`.  Comes back when something switches
/// to the parked context.
void asyncio_switch_context(void** saved, void* to) noexcept;

/// Runs `call(argument)` on the stack of `*parked`, as if that context had called it, and comes
/// back.  Requires: it is parked in asyncio_switch_context().
void asyncio_call_on_context(void** parked, void (*call)(void*), void* argument) noexcept;
}

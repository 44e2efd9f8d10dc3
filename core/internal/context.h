// The bare switch of stacks: registers and floating-point control words, nothing else.
//
// On x86-64 it is our own (context_x86_64.cc): Boost.Context's ends in an indirect jump, after which
// the processor predicts the next return wrongly, on every switch.  Elsewhere, and with the build
// option -Dcontext=boost, it is Boost.Context's (context_boost.cc).
#pragma once

#include <cstddef>

namespace asyncio::detail {

/// What a jump brings to where it lands.
struct Arrival {
  void* saved;  ///< the context that jumped, parked from now on
  void* data;   ///< what it brought
};

/// A context that calls asyncio_enter_context() when first jumped to, with its frames below `top`.
/// `size`: the bytes that it has there.
void* make_context(std::byte* top, std::size_t size) noexcept;

}  // namespace asyncio::detail

extern "C" {
/// Parks the running context and goes on in `to`, which gets `data`.  Returns when another one jumps
/// back.
asyncio::detail::Arrival asyncio_jump_context(void* to, void* data) noexcept;

/// Where a fresh context begins.  Supplied by fiber.cc.  Used: by assembler code, which the compiler
/// does not see.
[[noreturn, gnu::used]] void asyncio_enter_context(asyncio::detail::Arrival arrival) noexcept;
}

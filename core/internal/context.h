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

/// A context that calls `entry`, which must not return, when first jumped to.  Its frames begin below
/// `top`, where it has `size` bytes.
void* make_context(std::byte* top, std::size_t size, void (*entry)(Arrival)) noexcept;

}  // namespace asyncio::detail

/// Parks the running context and goes on in `to`, which gets `data`.  Returns when another one jumps
/// back.
extern "C" asyncio::detail::Arrival asyncio_jump_context(void* to, void* data) noexcept;

// Switching stacks: the only file (with fiber.cc) that knows how, and that tells the sanitizers.
//
// Registers and floating-point control words are Boost.Context's work.  What it leaves out is saved
// on the parked stack itself: errno, and the two words of the C++ exception state (which exception
// is caught, how many are in flight).  Without them two tasks parked inside `catch` blocks would
// rethrow each other's exceptions.
//
// A parked stack, from Fiber::saved upwards (x86-64): MXCSR and the x87 control word (4 bytes each),
// R12, R13, R14, R15, RBX, RBP, return address.  Debuggers and dumps may rely on it.
#pragma once

#include <cstddef>

#include <boost/context/detail/fcontext.hpp>

#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/internal/sanitizers.h>

namespace asyncio::detail {

/// The C++ runtime's exception state of a thread, as libstdc++ and libc++ lay it out.
struct ExceptionState {
  void* caught;
  unsigned int uncaught;
};

/// What a switch needs of the thread it runs on; fixed while a loop runs, as tasks never migrate.
struct ThreadState {
  static ThreadState of_this_thread() noexcept;
  ExceptionState* exceptions = nullptr;
  int* error_number = nullptr;
};

/// What a fresh fiber runs.  Supplied by the loop (task_lifecycle.cc); ends with leave_fiber().
[[noreturn]] void run_current_task() noexcept;

/// Prepares `fiber` to call run_current_task() when first switched to.  Its frames begin at `below`,
/// which is at or under fiber.top.
void make_fiber(Fiber& fiber, std::byte* below) noexcept;

/// Sanitizer annotations around a jump; compiled to nothing without one.
void announce_switch(Fiber& from, Fiber& to, bool from_ends) noexcept;
void confirm_switch(Fiber* self, Fiber& previous) noexcept;

/// Parks `from` (running) and resumes `to`.  Returns when something switches back to `from`.
inline void switch_fiber(ThreadState& thread, Fiber& from, Fiber& to) noexcept {
  const ExceptionState exceptions = *thread.exceptions;
  const int error_number = *thread.error_number;
  if constexpr (under_asan || under_tsan) announce_switch(from, to, false);
  const auto arrival = boost::context::detail::jump_fcontext(to.saved, &from);
  auto& previous = *static_cast<Fiber*>(arrival.data);
  previous.saved = arrival.fctx;
  if constexpr (under_asan || under_tsan) confirm_switch(&from, previous);
  *thread.exceptions = exceptions;
  *thread.error_number = error_number;
}

/// Resumes `to` and never comes back; the stack may be reused as soon as `to` runs.
[[noreturn]] void leave_fiber(Fiber& from, Fiber& to) noexcept;

/// Runs `call(argument)` on top of a parked fiber's stack, as if it had called it, and comes back.
/// For dumps.
void call_on_fiber(ThreadState& thread, Fiber& self, Fiber& parked, void (*call)(void*),
                   void* argument) noexcept;

/// A stack about to be handed out again: forget what ASan remembers of its frames.
void recycle_stack_memory(std::byte* bottom, std::size_t size) noexcept;
/// Tells valgrind of a new stack, or that it is gone.
unsigned register_stack_memory(std::byte* bottom, std::size_t size) noexcept;
void unregister_stack_memory(unsigned id) noexcept;

}  // namespace asyncio::detail

// Switching from task to task, and telling the sanitizers.
//
// The bare switch is context.h's.  What it leaves out is saved on the parked stack itself: errno, and
// the two words of the C++ exception state (which exception is caught, how many are in flight).
// Without them two tasks parked inside `catch` blocks would rethrow each other's exceptions.
#pragma once

#include <cstddef>
#include <cstdint>

#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/internal/context.h>
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

/// Does somebody want a call made on this stack, rather than its task resumed?  A jump brings the
/// Fiber that it left, or a request that is marked by an odd address.
inline bool asks_for_call(const Arrival& arrival) noexcept {
  return (reinterpret_cast<std::uintptr_t>(arrival.data) & 1) != 0;
}
/// Makes that call and goes back.  Returns with the next arrival.
Arrival make_call(Fiber& parked, const Arrival& arrival) noexcept;

/// Parks `from` (running) and resumes `to`.  Returns when something switches back to `from`.
inline void switch_fiber(ThreadState& thread, Fiber& from, Fiber& to) noexcept {
  const ExceptionState exceptions = *thread.exceptions;
  const int error_number = *thread.error_number;
  if constexpr (under_asan || under_tsan) announce_switch(from, to, false);
  Arrival arrival = asyncio_jump_context(to.saved, &from);
  while (asks_for_call(arrival)) [[unlikely]] arrival = make_call(from, arrival);
  auto& previous = *static_cast<Fiber*>(arrival.data);
  previous.saved = arrival.saved;
  if constexpr (under_asan || under_tsan) confirm_switch(&from, previous);
  *thread.exceptions = exceptions;
  *thread.error_number = error_number;
}

/// Resumes `to` and never comes back; the stack may be reused as soon as `to` runs.
[[noreturn]] void leave_fiber(Fiber& from, Fiber& to) noexcept;

/// Runs `call(argument)` on top of a parked fiber's stack, as if it had called it, and comes back.
/// Requires: it has run before.  For dumps.
void call_on_fiber(ThreadState& thread, Fiber& self, Fiber& parked, void (*call)(void*),
                   void* argument) noexcept;

/// A stack about to be handed out again: forget what ASan remembers of its frames.
void recycle_stack_memory(std::byte* bottom, std::size_t size) noexcept;
/// Tells valgrind of a new stack, or that it is gone.
unsigned register_stack_memory(std::byte* bottom, std::size_t size) noexcept;
void unregister_stack_memory(unsigned id) noexcept;

}  // namespace asyncio::detail

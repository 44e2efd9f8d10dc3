// Switching from task to task, and telling the sanitizers.
//
// The bare switch is in stack_switch.h.  What it leaves out is saved in the Fiber: errno, and the
// two words of the C++ exception state (which exception is caught, how many are in flight).
// Without them two tasks parked inside `catch` blocks would rethrow each other's exceptions.
#pragma once

#include <cstddef>

#include <asyncio/core/detail/task_control.h>
#include <asyncio/core/internal/fiber/sanitizers.h>
#include <asyncio/core/internal/fiber/stack_switch.h>

namespace asyncio::detail {

/// The C++ runtime's exception state of a thread, as libstdc++ and libc++ lay it out.
struct ExceptionState {
  void* caught;
  unsigned int uncaught;
};

/// What a switch needs to know of the thread it runs on.  Fixed while a loop runs, since tasks
/// never migrate.
struct ThreadState {
  static ThreadState of_this_thread() noexcept;
  ExceptionState* exceptions = nullptr;
  int* error_number = nullptr;
};

/// What a fresh fiber runs.  Supplied by the loop (task_lifecycle.cc); ends with leave_fiber().
[[noreturn]] void run_current_task() noexcept;

/// Prepares `fiber`, a new one, to call run_current_task() when first switched to.  Its frames
/// begin at `below`, which is at or under fiber.top.
void make_fiber(Fiber& fiber, std::byte* below) noexcept;

/// Sanitizer annotations around a switch; compiled to nothing without a sanitizer.  `self` is the
/// fiber that arrives, or null for a fresh one.
void announce_switch(Fiber& from, Fiber& to, bool from_ends) noexcept;
void confirm_switch(Fiber* self) noexcept;

/// Makes the thread's exceptions and errno those of `to`.
inline void load_thread_state(ThreadState& thread, const Fiber& to) noexcept {
  *thread.exceptions = {to.caught, to.uncaught};
  *thread.error_number = to.error_number;
}

/// Parks `from`, which is running, and resumes `to`.  Comes back when something switches to `from`.
/// Nothing is left to do then, so the switch can be a tail call, which makes it faster; see
/// stack_switch_x86_64.cc.
inline void switch_fiber(ThreadState& thread, Fiber& from, Fiber& to) noexcept {
  from.caught = thread.exceptions->caught;
  from.uncaught = thread.exceptions->uncaught;
  from.error_number = *thread.error_number;
  if constexpr (under_asan || under_tsan) announce_switch(from, to, false);
  load_thread_state(thread, to);
  asyncio_switch_context(&from.saved, to.saved);
  if constexpr (under_asan || under_tsan) confirm_switch(&from);
}

/// Resumes `to` and never comes back; the stack may be reused as soon as `to` runs.
[[noreturn]] void leave_fiber(ThreadState& thread, Fiber& from, Fiber& to) noexcept;

/// Runs `call(argument)` on top of the stack of `parked`, as if that fiber had called it, and comes
/// back.  For dumps.  Requires: `parked` has run before.
void call_on_fiber(ThreadState& thread, Fiber& self, Fiber& parked, void (*call)(void*),
                   void* argument) noexcept;

/// Makes ASan forget the frames of a stack that is about to be handed out again.
void recycle_stack_memory(std::byte* bottom, std::size_t size) noexcept;
/// Tells valgrind of a new stack, or that it is gone.
unsigned register_stack_memory(std::byte* bottom, std::size_t size) noexcept;
void unregister_stack_memory(unsigned id) noexcept;

}  // namespace asyncio::detail

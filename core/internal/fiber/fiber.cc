#include <asyncio/core/internal/fiber/fiber.h>

#include <cerrno>

#include <cxxabi.h>

#ifdef ASYNCIO_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef ASYNCIO_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#ifdef ASYNCIO_HAVE_VALGRIND
#include <valgrind/valgrind.h>
#endif

namespace asyncio::detail {
namespace {

#if defined(ASYNCIO_ASAN) || defined(ASYNCIO_TSAN)
thread_local Fiber* left_fiber = nullptr;  // by the last switch
#endif
#ifdef ASYNCIO_TSAN
thread_local void* ended_fiber = nullptr;  // destroyed by whoever runs next
#endif

void begin() {
  if constexpr (under_asan || under_tsan) confirm_switch(nullptr);
  run_current_task();
}

}  // namespace

ThreadState ThreadState::of_this_thread() noexcept {
  return {reinterpret_cast<ExceptionState*>(abi::__cxa_get_globals()), &errno};
}

void make_fiber(Fiber& fiber, std::byte* below) noexcept {
  const std::byte* const bottom = fiber.top - fiber.size;
  fiber.saved = make_context(below, static_cast<std::size_t>(below - bottom), &begin);
#ifdef ASYNCIO_TSAN
  fiber.sanitizer = __tsan_create_fiber(0);
#else
  fiber.sanitizer = nullptr;
#endif
}

void announce_switch([[maybe_unused]] Fiber& from, [[maybe_unused]] Fiber& to,
                     [[maybe_unused]] bool from_ends) noexcept {
#if defined(ASYNCIO_ASAN) || defined(ASYNCIO_TSAN)
  left_fiber = &from;
#endif
#ifdef ASYNCIO_ASAN
  __sanitizer_start_switch_fiber(from_ends ? nullptr : &from.sanitizer, to.top - to.size, to.size);
#endif
#ifdef ASYNCIO_TSAN
  if (from.sanitizer == nullptr) from.sanitizer = __tsan_get_current_fiber();
  if (from_ends) ended_fiber = from.sanitizer;
  __tsan_switch_to_fiber(to.sanitizer, 0);
#endif
}

void confirm_switch([[maybe_unused]] Fiber* self) noexcept {
#ifdef ASYNCIO_ASAN
  const void* bottom = nullptr;
  std::size_t size = 0;
  __sanitizer_finish_switch_fiber(self != nullptr ? self->sanitizer : nullptr, &bottom, &size);
  if (left_fiber->top == nullptr) {  // a thread's own stack: only now are its bounds known
    left_fiber->top = static_cast<std::byte*>(const_cast<void*>(bottom)) + size;
    left_fiber->size = size;
  }
#endif
#ifdef ASYNCIO_TSAN
  if (ended_fiber != nullptr) {
    __tsan_destroy_fiber(ended_fiber);
    ended_fiber = nullptr;
  }
#endif
}

void leave_fiber(ThreadState& thread, Fiber& from, Fiber& to) noexcept {
  if constexpr (under_asan || under_tsan) announce_switch(from, to, true);
  load_thread_state(thread, to);
  asyncio_switch_context(&from.saved, to.saved);
  __builtin_unreachable();
}

// The sanitizers are told on this stack, before and after: the entry and the exit of a function
// must be noted on the same fiber.
void call_on_fiber(ThreadState& thread, Fiber& self, Fiber& parked, void (*call)(void*),
                   void* argument) noexcept {
  const ExceptionState exceptions = *thread.exceptions;
  const int error_number = *thread.error_number;
  if constexpr (under_asan || under_tsan) {
    announce_switch(self, parked, false);
    confirm_switch(&parked);
  }
  asyncio_call_on_context(&parked.saved, call, argument);
  if constexpr (under_asan || under_tsan) {
    announce_switch(parked, self, false);
    confirm_switch(&self);
  }
  *thread.exceptions = exceptions;
  *thread.error_number = error_number;
}

void recycle_stack_memory([[maybe_unused]] std::byte* bottom,
                          [[maybe_unused]] std::size_t size) noexcept {
#ifdef ASYNCIO_ASAN
  __asan_unpoison_memory_region(bottom, size);
#endif
}

unsigned register_stack_memory([[maybe_unused]] std::byte* bottom,
                               [[maybe_unused]] std::size_t size) noexcept {
#ifdef ASYNCIO_HAVE_VALGRIND
  return static_cast<unsigned>(VALGRIND_STACK_REGISTER(bottom, bottom + size));
#else
  return 0;
#endif
}

void unregister_stack_memory([[maybe_unused]] unsigned id) noexcept {
#ifdef ASYNCIO_HAVE_VALGRIND
  VALGRIND_STACK_DEREGISTER(id);
#endif
}

}  // namespace asyncio::detail

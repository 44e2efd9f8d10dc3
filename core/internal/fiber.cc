#include <asyncio/core/internal/fiber.h>

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

#ifdef ASYNCIO_TSAN
thread_local void* ended_fiber = nullptr;  // destroyed by whoever runs next
#endif

void enter(Arrival arrival) {
  // There is no caller: tell unwinders, debuggers and profilers to stop here.
#if defined(__x86_64__)
  asm volatile(".cfi_undefined rip");
#elif defined(__aarch64__)
  asm volatile(".cfi_undefined x30");
#endif
  auto& previous = *static_cast<Fiber*>(arrival.data);
  previous.saved = arrival.saved;
  if constexpr (under_asan || under_tsan) confirm_switch(nullptr, previous);
  run_current_task();
}

struct CallRequest {
  void (*call)(void*);
  void* argument;
  Fiber* caller;
};

}  // namespace

ThreadState ThreadState::of_this_thread() noexcept {
  return {reinterpret_cast<ExceptionState*>(abi::__cxa_get_globals()), &errno};
}

void make_fiber(Fiber& fiber, std::byte* below) noexcept {
  const std::byte* const bottom = fiber.top - fiber.size;
  fiber.saved = make_context(below, static_cast<std::size_t>(below - bottom), &enter);
#ifdef ASYNCIO_TSAN
  fiber.sanitizer = __tsan_create_fiber(0);
#else
  fiber.sanitizer = nullptr;
#endif
}

void announce_switch([[maybe_unused]] Fiber& from, [[maybe_unused]] Fiber& to,
                     [[maybe_unused]] bool from_ends) noexcept {
#ifdef ASYNCIO_ASAN
  __sanitizer_start_switch_fiber(from_ends ? nullptr : &from.sanitizer, to.top - to.size, to.size);
#endif
#ifdef ASYNCIO_TSAN
  if (from.sanitizer == nullptr) from.sanitizer = __tsan_get_current_fiber();
  if (from_ends) ended_fiber = from.sanitizer;
  __tsan_switch_to_fiber(to.sanitizer, 0);
#endif
}

void confirm_switch([[maybe_unused]] Fiber* self, [[maybe_unused]] Fiber& previous) noexcept {
#ifdef ASYNCIO_ASAN
  const void* bottom = nullptr;
  std::size_t size = 0;
  __sanitizer_finish_switch_fiber(self != nullptr ? self->sanitizer : nullptr, &bottom, &size);
  if (previous.top == nullptr) {  // a thread's own stack: only now are its bounds known
    previous.top = static_cast<std::byte*>(const_cast<void*>(bottom)) + size;
    previous.size = size;
  }
#endif
#ifdef ASYNCIO_TSAN
  if (ended_fiber != nullptr) {
    __tsan_destroy_fiber(ended_fiber);
    ended_fiber = nullptr;
  }
#endif
}

void leave_fiber(Fiber& from, Fiber& to) noexcept {
  if constexpr (under_asan || under_tsan) announce_switch(from, to, true);
  asyncio_jump_context(to.saved, &from);
  __builtin_unreachable();
}

void call_on_fiber(ThreadState& thread, Fiber& self, Fiber& parked, void (*call)(void*),
                   void* argument) noexcept {
  const ExceptionState exceptions = *thread.exceptions;
  const int error_number = *thread.error_number;
  CallRequest request{call, argument, &self};
  if constexpr (under_asan || under_tsan) announce_switch(self, parked, false);
  parked.saved =
      asyncio_jump_context(parked.saved, reinterpret_cast<std::byte*>(&request) + 1).saved;
  if constexpr (under_asan || under_tsan) confirm_switch(&self, parked);
  *thread.exceptions = exceptions;
  *thread.error_number = error_number;
}

Arrival make_call(Fiber& parked, const Arrival& arrival) noexcept {
  auto& request = *reinterpret_cast<CallRequest*>(static_cast<std::byte*>(arrival.data) - 1);
  Fiber& caller = *request.caller;
  if constexpr (under_asan || under_tsan) confirm_switch(&parked, caller);
  request.call(request.argument);
  if constexpr (under_asan || under_tsan) announce_switch(parked, caller, false);
  return asyncio_jump_context(arrival.saved, nullptr);
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

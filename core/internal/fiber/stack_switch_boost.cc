#include <cstdint>
#include <new>

#include <boost/context/detail/fcontext.hpp>

#include <asyncio/core/internal/fiber/stack_switch.h>

namespace asyncio::detail {
namespace {

namespace ctx = boost::context::detail;

// A context that never ran, at the top of its stack; the pointer to it is odd.
struct Fresh {
  ctx::fcontext_t context;
  void (*entry)();
};

struct Start {
  void** saved;  // where the first to switch to it is parked
  void (*entry)();
};

// Makes a parked context call a function instead of going on; the pointer to it is odd.
struct CallRequest {
  void (*call)(void*);
  void* argument;
};

template <class T>
void* mark(T* object) noexcept {
  return reinterpret_cast<std::byte*>(object) + 1;
}
bool is_marked(const void* pointer) noexcept {
  return (reinterpret_cast<std::uintptr_t>(pointer) & 1) != 0;
}
template <class T>
T& unmark(void* pointer) noexcept {
  return *reinterpret_cast<T*>(static_cast<std::byte*>(pointer) - 1);
}

void begin(ctx::transfer_t arrival) {
  // There is no caller: tell unwinders, debuggers and profilers to stop here.
#if defined(__x86_64__)
  asm volatile(".cfi_undefined rip");
#elif defined(__aarch64__)
  asm volatile(".cfi_undefined x30");
#endif
  const Start start = *static_cast<Start*>(arrival.data);
  *start.saved = arrival.fctx;
  start.entry();
}

}  // namespace

void* make_context(std::byte* top, std::size_t size, void (*entry)()) noexcept {
  const auto end = reinterpret_cast<std::uintptr_t>(top) & ~std::uintptr_t{15};
  auto* const fresh = ::new (reinterpret_cast<void*>(end - sizeof(Fresh))) Fresh;
  *fresh = {ctx::make_fcontext(fresh, size - 2 * sizeof(Fresh), &begin), entry};
  return mark(fresh);
}

}  // namespace asyncio::detail

using namespace asyncio::detail;  // NOLINT(google-build-using-namespace): they have C names

void asyncio_switch_context(void** saved, void* to) noexcept {
  ctx::transfer_t arrival{};
  if (is_marked(to)) {
    const auto& fresh = unmark<Fresh>(to);
    Start start{saved, fresh.entry};
    arrival = ctx::jump_fcontext(fresh.context, &start);
  } else {
    arrival = ctx::jump_fcontext(to, saved);
  }
  while (is_marked(arrival.data)) {
    const auto& request = unmark<CallRequest>(arrival.data);
    request.call(request.argument);
    arrival = ctx::jump_fcontext(arrival.fctx, nullptr);
  }
  *static_cast<void**>(arrival.data) = arrival.fctx;
}

void asyncio_call_on_context(void** parked, void (*call)(void*), void* argument) noexcept {
  CallRequest request{call, argument};
  *parked = ctx::jump_fcontext(*parked, mark(&request)).fctx;
}

// Contexts for the switch in stack_switch_x86_64.S: what a new one looks like when parked.
#include <array>
#include <cstdint>
#include <new>

#include <asyncio/core/internal/fiber/stack_switch.h>

extern "C" void asyncio_begin_context() noexcept;  // returned to, never called

namespace asyncio::detail {

void* make_context(std::byte* top, std::size_t, void (*entry)()) noexcept {
  struct Frame {
    std::uint32_t mxcsr;
    std::uint16_t x87;
    std::array<void*, 4> unused;
    void (*rbx)();
    void* rbp;
    void (*resume)() noexcept;
  };
  static_assert(sizeof(Frame) == 64);
  const auto end = reinterpret_cast<std::uintptr_t>(top) & ~std::uintptr_t{15};
  auto* const frame = ::new (reinterpret_cast<void*>(end - sizeof(Frame))) Frame;
  asm("stmxcsr %0" : "=m"(frame->mxcsr));
  asm("fnstcw %0" : "=m"(frame->x87));
  frame->rbx = entry;
  frame->rbp = nullptr;  // the end, for tools that follow frame pointers
  frame->resume = &asyncio_begin_context;
  return frame;
}

}  // namespace asyncio::detail

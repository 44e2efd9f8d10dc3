#include <boost/context/detail/fcontext.hpp>

#include <asyncio/core/internal/context.h>

namespace asyncio::detail {
namespace {

namespace ctx = boost::context::detail;

void enter(ctx::transfer_t arrival) {
  // There is no caller: tell unwinders, debuggers and profilers to stop here.
#if defined(__x86_64__)
  asm volatile(".cfi_undefined rip");
#elif defined(__aarch64__)
  asm volatile(".cfi_undefined x30");
#endif
  asyncio_enter_context({arrival.fctx, arrival.data});
}

}  // namespace

void* make_context(std::byte* top, std::size_t size) noexcept {
  return ctx::make_fcontext(top, size, &enter);
}

}  // namespace asyncio::detail

asyncio::detail::Arrival asyncio_jump_context(void* to, void* data) noexcept {
  const boost::context::detail::transfer_t arrival =
      boost::context::detail::jump_fcontext(to, data);
  return {arrival.fctx, arrival.data};
}

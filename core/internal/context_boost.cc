#include <boost/context/detail/fcontext.hpp>

#include <asyncio/core/internal/context.h>

namespace ctx = boost::context::detail;

namespace asyncio::detail {

// Boost's assembler code makes the call, and hands over two pointers, whatever their struct is called.
static_assert(sizeof(Arrival) == sizeof(ctx::transfer_t));

void* make_context(std::byte* top, std::size_t size, void (*entry)(Arrival)) noexcept {
  return ctx::make_fcontext(
      top, size, reinterpret_cast<void (*)(ctx::transfer_t)>(reinterpret_cast<void*>(entry)));
}

}  // namespace asyncio::detail

asyncio::detail::Arrival asyncio_jump_context(void* to, void* data) noexcept {
  const ctx::transfer_t arrival = ctx::jump_fcontext(to, data);
  return {arrival.fctx, arrival.data};
}

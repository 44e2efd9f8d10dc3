// From one stack to another and nothing else: no queue, no loop.
//
// bare: the registers.  asyncio: the errno and the exceptions in flight of each stack as well.
#include <cstddef>
#include <memory>

#include <asyncio/core/internal/fiber.h>
#include <boost/context/detail/fcontext.hpp>

#include "../support/rows.h"

namespace bench {
namespace {

namespace context = boost::context::detail;

constexpr std::size_t kStackSize = 64 * 1024;

class Stack {
 public:
  context::fcontext_t start(void (*body)(context::transfer_t)) {
    return context::make_fcontext(memory_.get() + kStackSize, kStackSize, body);
  }

 private:
  std::unique_ptr<std::byte[]> memory_{new std::byte[kStackSize]};
};

void bare_switch(State& state) {
  Stack stack;
  context::fcontext_t other = stack.start([](context::transfer_t from) {
    for (;;) from = context::jump_fcontext(from.fctx, nullptr);
  });
  while (state.KeepRunningBatch(2)) other = context::jump_fcontext(other, nullptr).fctx;
}

struct Caller : asyncio::detail::Fiber {
  asyncio::detail::ThreadState thread = asyncio::detail::ThreadState::of_this_thread();
  asyncio::detail::Fiber other;
};

void switch_on_asyncio(State& state) {
  Stack stack;
  Caller caller;
  caller.other.saved = stack.start([](context::transfer_t from) {
    auto& back = *static_cast<Caller*>(static_cast<asyncio::detail::Fiber*>(from.data));
    back.saved = from.fctx;
    for (;;) asyncio::detail::switch_fiber(back.thread, back.other, back);
  });
  while (state.KeepRunningBatch(2)) {
    asyncio::detail::switch_fiber(caller.thread, caller, caller.other);
  }
}

const Subject subject("core.switch", [](Rows& rows) {
  rows.add("bare", {}, bare_switch);
  rows.add("asyncio", {}, switch_on_asyncio);
});

}  // namespace
}  // namespace bench

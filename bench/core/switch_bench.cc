// From one stack to another and nothing else: no queue, no loop.
//
// bare: the registers.  asyncio: the errno and the exceptions in flight of each stack as well.
#include <cstddef>
#include <memory>

#include <asyncio/core/internal/fiber/fiber.h>
#include <asyncio/core/internal/fiber/stack_switch.h>
#include <boost/context/detail/fcontext.hpp>

#include "../support/rows.h"

namespace bench {
namespace {

namespace context = boost::context::detail;

constexpr std::size_t kStackSize = 64 * 1024;

class Stack {
 public:
  std::byte* top() { return memory_.get() + kStackSize; }

 private:
  std::unique_ptr<std::byte[]> memory_{new std::byte[kStackSize]};
};

void bare_switch(State& state) {
  Stack stack;
  const auto body = [](context::transfer_t from) {
    for (;;) from = context::jump_fcontext(from.fctx, nullptr);
  };
  context::fcontext_t other = context::make_fcontext(stack.top(), kStackSize, body);
  while (state.KeepRunningBatch(2)) other = context::jump_fcontext(other, nullptr).fctx;
}

struct Pair {
  asyncio::detail::ThreadState thread = asyncio::detail::ThreadState::of_this_thread();
  asyncio::detail::Fiber here;
  asyncio::detail::Fiber there;
};
Pair* pair = nullptr;

void switch_on_asyncio(State& state) {
  Stack stack;
  Pair both;
  pair = &both;
  both.there.saved = asyncio::detail::make_context(stack.top(), kStackSize, [] {
    for (;;) asyncio::detail::switch_fiber(pair->thread, pair->there, pair->here);
  });
  while (state.KeepRunningBatch(2)) {
    asyncio::detail::switch_fiber(both.thread, both.here, both.there);
  }
}

const Subject subject("core.switch", [](Rows& rows) {
  rows.add("bare", {}, bare_switch);
  rows.add("asyncio", {}, switch_on_asyncio);
});

}  // namespace
}  // namespace bench

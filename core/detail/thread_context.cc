#include <asyncio/core/detail/thread_context.h>

namespace asyncio::detail {
namespace {

constinit thread_local ThreadContext* of_this_thread = nullptr;

}  // namespace

ThreadContext::ThreadContext(std::shared_ptr<ContextBase> inherited,
                             std::uint64_t unique_id) noexcept
    : context(std::move(inherited)), id(unique_id) {
  of_this_thread = this;
}

ThreadContext::~ThreadContext() {
  context.reset();  // its values' destructors may still ask for others
  of_this_thread = nullptr;
}

ThreadContext* ThreadContext::current() noexcept { return of_this_thread; }

}  // namespace asyncio::detail

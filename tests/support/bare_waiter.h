// A wait of no primitive's.
#pragma once

#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/waiter.h>

namespace asyncio::test {

/// Nothing ends it but wake() and a cancel.
struct BareWaiter : lowlevel::Waiter {
  BareWaiter() noexcept : Waiter(reason_of_all) {}
  static constexpr lowlevel::WaitReason reason_of_all{"event"};
};

/// Waits for nothing.
/// Cancels: Cancelled.
inline void wait_for_nothing() {
  BareWaiter waiter_of_nobody;
  lowlevel::enter("the test").suspend(waiter_of_nobody);
}

}  // namespace asyncio::test

// What another process, or the kernel, does in its own time.
#pragma once

#include <chrono>

#include <gtest/gtest.h>

#include <asyncio/core/checkpoint.h>

namespace asyncio::test {

/// Lets tasks run until `condition` holds.  Gives up, with a failure, when that takes very long.
template <class F>
void expect_eventually(F&& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  while (!condition()) {
    ASSERT_LT(std::chrono::steady_clock::now(), end) << "waited in vain";
    yield();
  }
}

}  // namespace asyncio::test

// A destructor with a body of the test's choice.
#pragma once

#include <utility>

namespace asyncio::test {

/// Runs `body` when it goes; what the body throws would end the process, as for any destructor.
template <class F>
struct Finally {
  explicit Finally(F f) : body(std::move(f)) {}
  ~Finally() { body(); }
  F body;
};

}  // namespace asyncio::test

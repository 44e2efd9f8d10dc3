// What a call says when it throws.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

namespace asyncio::test {

/// The message of the E that `call` throws.  A failure of the test if it throws none.
template <class E, class F>
std::string message_of(F&& call) {
  try {
    std::forward<F>(call)();
  } catch (const E& error) {
    return error.what();
  }
  ADD_FAILURE() << "must throw";
  return "nothing was thrown";
}

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace asyncio::test

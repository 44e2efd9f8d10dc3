// What a call says when it throws.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include <asyncio/core/exception_group.h>

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

/// The message of an exception; of a group, the messages in it, as "{b,c}".
inline std::string message_of(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const ExceptionGroup& group) {
    std::string text = "{";
    for (const auto& inner : group.exceptions()) {
      text += (text.size() > 1 ? "," : "") + message_of(inner);
    }
    return text + "}";
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "?";
  }
}

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace asyncio::test

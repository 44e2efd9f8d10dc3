// Tasks that end at a known time.
#pragma once

#include <stdexcept>

#include <asyncio/core/sleep.h>
#include <asyncio/core/task.h>
#include <asyncio/core/time.h>

namespace asyncio::test {

inline Task<int> value_after(Duration delay, int value) {
  return create_task([delay, value] {
    sleep(delay);
    return value;
  });
}

inline Task<int> failure_after(Duration delay, const char* message = "bad") {
  return create_task([delay, message]() -> int {
    sleep(delay);
    throw std::runtime_error(message);
  });
}

}  // namespace asyncio::test

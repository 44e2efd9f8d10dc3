// Counting what this process has open.
#pragma once

#include <cstddef>
#include <filesystem>
#include <iterator>

namespace asyncio::test {

inline std::ptrdiff_t open_descriptors() {
  return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {});
}

}  // namespace asyncio::test

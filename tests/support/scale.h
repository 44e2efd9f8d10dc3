// How large a test may be: watched builds are slower and hungrier.
#pragma once

#include <cstddef>

namespace asyncio::test {

/// Is this a build with a sanitizer, or does valgrind run it?
bool watched() noexcept;
bool under_valgrind() noexcept;

/// `full` in a plain build; a part of it, which is printed, in one that is watched.
std::size_t scaled(std::size_t full);

}  // namespace asyncio::test

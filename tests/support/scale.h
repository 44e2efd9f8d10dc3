// How large a test may be, and how large it is: watched builds are slower and hungrier.
#pragma once

#include <cstddef>

namespace asyncio::test {

/// Is this a build with a sanitizer, or does valgrind run it?
bool watched() noexcept;
bool under_valgrind() noexcept;

/// `full` in a plain build; a part of it, which is printed, in one that is watched.
std::size_t scaled(std::size_t full);

/// Memory of this process that is in RAM.
std::size_t resident_bytes();

}  // namespace asyncio::test

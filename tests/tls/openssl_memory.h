// Memory that OpenSSL takes, counted.
#pragma once

#include <cstddef>

namespace asyncio::test {

/// How often it has, since the program began.
std::size_t openssl_allocations();

}  // namespace asyncio::test

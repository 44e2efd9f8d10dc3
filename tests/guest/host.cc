// The hosts that this build has, by name.
#include <asyncio/tests/guest/host.h>

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace asyncio::test {

// ASYNCIO_TEST_HOSTS is a list of ASYNCIO_TEST_HOST(name), from Meson.
#define ASYNCIO_TEST_HOST(name) std::unique_ptr<Host> make_##name##_host();
ASYNCIO_TEST_HOSTS
#undef ASYNCIO_TEST_HOST

bool is_host_wanted() { return std::getenv("ASYNCIO_TEST_HOST") != nullptr; }

std::unique_ptr<Host> make_host() {
  const std::string wanted = is_host_wanted() ? std::getenv("ASYNCIO_TEST_HOST") : "";
#define ASYNCIO_TEST_HOST(name) \
  if (wanted == #name) return make_##name##_host();
  ASYNCIO_TEST_HOSTS
#undef ASYNCIO_TEST_HOST
  throw std::invalid_argument("ASYNCIO_TEST_HOST names no host of this build: '" + wanted + "'");
}

}  // namespace asyncio::test

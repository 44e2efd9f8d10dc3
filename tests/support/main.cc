// main() of every test program.
#include <cstdlib>
#include <string_view>

#include <gtest/gtest.h>

#include <asyncio/core/backend_registry.h>
#include <asyncio/examples/poll_backend/poll_backend.h>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  // A death test runs in a fresh process: a fork of one that has loops and threads is no fair
  // start.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  // A third party's backend is known to nobody until its program says so.
  const char* backend = std::getenv("ASYNCIO_BACKEND");
  if (backend != nullptr && std::string_view{backend} == "poll") {
    asyncio::register_backend(third_party::poll_backend());
  }
  return RUN_ALL_TESTS();
}

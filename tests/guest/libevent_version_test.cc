// A program that has loaded another libevent than the one this was built for.
#include <dlfcn.h>

#include <gtest/gtest.h>

#include <asyncio/backends/libevent.h>
#include <asyncio/core/errors.h>
#include <asyncio/tests/support/messages.h>

namespace {
bool another_libevent = false;
}

// The program's own definition comes before the library's.
extern "C" ev_uint32_t event_get_version_number() {
  using Function = ev_uint32_t();
  const auto real = reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, "event_get_version_number"));
  return real() + (another_libevent ? 0x00010000U : 0U);
}

namespace asyncio::test {
namespace {

TEST(LibeventVersionTest, Pitfall20_AnotherLibeventIsRefused) {
  event_base* host = event_base_new();
  EXPECT_NO_THROW(attach(host));
  another_libevent = true;
  EXPECT_TRUE(contains(message_of<BackendError>([&] { attach(host); }), "a libevent other than"));
  another_libevent = false;
  event_base_free(host);
}

}  // namespace
}  // namespace asyncio::test

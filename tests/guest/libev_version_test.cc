// A program that has loaded another libev than the one this was built for.
#include <dlfcn.h>

#include <gtest/gtest.h>

#include <asyncio/backends/libev.h>
#include <asyncio/core/errors.h>
#include <asyncio/tests/support/messages.h>

namespace {
bool another_libev = false;
}

// The program's own definition comes before the library's.
extern "C" int ev_version_major() {
  using Function = int();
  const auto real = reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, "ev_version_major"));
  return real() + (another_libev ? 1 : 0);
}

namespace asyncio::test {
namespace {

TEST(LibevVersionTest, Pitfall20_AnotherLibevIsRefused) {
  struct ev_loop* host = ev_loop_new(EVFLAG_AUTO);
  EXPECT_NO_THROW(attach(host));
  another_libev = true;
  EXPECT_TRUE(contains(message_of<BackendError>([&] { attach(host); }), "a libev other than"));
  another_libev = false;
  ev_loop_destroy(host);
}

}  // namespace
}  // namespace asyncio::test

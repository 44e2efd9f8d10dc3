// What the errors of I/O say and carry.
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <asyncio/io/all.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

std::error_code code_of(int error) { return {error, std::system_category()}; }

TEST(IoErrorsTest, TheMessageEndsWithWhatTheCodeStandsFor) {
  const IoError error{"Thing::read", code_of(ECONNRESET)};
  EXPECT_STREQ("Thing::read: Connection reset by peer", error.what());
  EXPECT_EQ(std::errc::connection_reset, error.code());
}

TEST(IoErrorsTest, AConnectErrorListsItsAttempts) {
  const Endpoint first{IpAddress::loopback_v6(), 1};
  const Endpoint second{IpAddress::loopback_v4(), 1};
  std::vector<Attempt> both{{first, code_of(ENETUNREACH)}, {second, code_of(ECONNREFUSED)}};
  const ConnectError one{"connect(x:1)", {both[1]}};
  EXPECT_STREQ("connect(x:1): Connection refused", one.what());
  const ConnectError two{"connect(x:1)", std::move(both)};
  EXPECT_EQ(std::errc::network_unreachable, two.code());
  ASSERT_EQ(2u, two.attempts().size());
  EXPECT_EQ(second, two.attempts()[1].to);
  const std::string said = two.what();
  EXPECT_TRUE(contains(said, "none of 2 addresses")) << said;
  EXPECT_TRUE(contains(said, "[::1]:1: Network is unreachable; 127.0.0.1:1: Connection refused"))
      << said;
}

TEST(IoErrorsTest, AllAreErrorsOfTheLibraryAndCarryTheirNumbers) {
  const EndOfStreamError ended{"ended", 3};
  const LimitError limited{"too long", 7};
  const ResolveError unresolved{"no", ResolveError::Why::no_address};
  EXPECT_EQ(3u, ended.got());
  EXPECT_EQ(7u, limited.limit());
  EXPECT_EQ(ResolveError::Why::no_address, unresolved.why());
  for (const Error* error : std::initializer_list<const Error*>{&ended, &limited, &unresolved}) {
    EXPECT_STRNE("", error->what());
  }
}

}  // namespace
}  // namespace asyncio::test

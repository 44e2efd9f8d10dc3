// IpAddress and Endpoint: what is written is read, and nothing else is.
#include <stdexcept>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include <asyncio/io/all.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

TEST(IpAddressTest, ReadsWhatItWrites) {
  for (const char* literal : {"0.0.0.0", "127.0.0.1", "255.255.255.255", "::", "::1",
                              "2001:db8::ff00:42:8329", "::ffff:192.0.2.1", "fe80::1%lo"}) {
    EXPECT_EQ(literal, IpAddress::parse(literal).to_string());
  }
  EXPECT_EQ("2001:db8::1", IpAddress::parse("2001:DB8:0:0:0:0:0:1").to_string());
}

TEST(IpAddressTest, WhatIsNoLiteralIsRefused) {
  for (const std::string_view text :
       {"",           "1",          "1.2.3",      "1.2.3.4.5",  "256.0.0.1",
        "0177.0.0.1", "127.0.0.01", "127.0.0.1 ", " 127.0.0.1", "127.0.0.1 x",
        "0x7f.0.0.1", "1.2.3.4%lo", ":",          ":::",        "1::2::3",
        "::g",        "[::1]",      "::1%",       "::1%0",      "::1%no-such-interface",
        "localhost",  "1.2.3.4:80"}) {
    EXPECT_EQ(std::nullopt, IpAddress::try_parse(text)) << text;
  }
  using namespace std::string_view_literals;
  EXPECT_EQ(std::nullopt, IpAddress::try_parse("127.0.0.1\0"sv));
  EXPECT_EQ(std::nullopt, IpAddress::try_parse("::1%lo\0"sv));
  EXPECT_EQ(std::nullopt, IpAddress::try_parse(std::string(10'000, '1')));
  const std::string said =
      message_of<std::invalid_argument>([] { IpAddress::parse("example.org"); });
  EXPECT_TRUE(contains(said, "IpAddress::parse(\"example.org\")")) << said;
  EXPECT_TRUE(contains(said, "resolve()")) << said;
}

TEST(IpAddressTest, AScopeIsTheNumberOrTheNameOfAnInterface) {
  const IpAddress by_name = IpAddress::parse("fe80::1%lo");
  EXPECT_NE(0u, by_name.scope());
  EXPECT_EQ(by_name, IpAddress::parse("fe80::1%" + std::to_string(by_name.scope())));
  EXPECT_NE(by_name, IpAddress::parse("fe80::1"));
  EXPECT_EQ("fe80::1%4000000000", IpAddress::parse("fe80::1%4000000000").to_string());
}

TEST(IpAddressTest, KnowsWhatItIsFor) {
  EXPECT_TRUE(IpAddress::parse("127.9.9.9").is_loopback());
  EXPECT_TRUE(IpAddress::loopback_v6().is_loopback());
  EXPECT_FALSE(IpAddress::parse("128.0.0.1").is_loopback());
  EXPECT_TRUE(IpAddress::any_v4().is_any());
  EXPECT_TRUE(IpAddress::any_v6().is_any());
  EXPECT_FALSE(IpAddress::loopback_v6().is_any());
  EXPECT_TRUE(IpAddress::parse("169.254.0.1").is_link_local());
  EXPECT_TRUE(IpAddress::parse("febf::1").is_link_local());
  EXPECT_FALSE(IpAddress::parse("fec0::1").is_link_local());
  EXPECT_TRUE(IpAddress::parse("224.0.0.1").is_multicast());
  EXPECT_TRUE(IpAddress::parse("ff02::1").is_multicast());
  EXPECT_EQ(IpAddress::parse("::ffff:192.0.2.1").v6(), IpAddress::parse("192.0.2.1").v6());
  EXPECT_LT(IpAddress::parse("255.255.255.255"), IpAddress::any_v6());
}

TEST(EndpointTest, ReadsWhatItWrites) {
  for (const char* text : {"192.0.2.1:80", "[2001:db8::1]:65535", "[fe80::1%lo]:0", "*:8080",
                           "unix:/run/x", "unix:relative", "unix:@a name"}) {
    EXPECT_EQ(text, Endpoint::parse(text).to_string());
  }
  EXPECT_EQ(Endpoint::any(8080), Endpoint::parse("*:8080"));
  EXPECT_NE(Endpoint::any(8080), Endpoint(IpAddress::any_v6(), 8080)) << "that is IPv6 alone";
  EXPECT_EQ(Endpoint::abstract("a"), Endpoint::parse("unix:@a"));
  EXPECT_NE(Endpoint::unix_path("a"), Endpoint::abstract("a"));
}

TEST(EndpointTest, WhatIsNoneIsRefused) {
  for (const char* text :
       {"", "80", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
        "127.0.0.1:+1", "127.0.0.1: 80", "127.0.0.1:80 ", "::1:80", "[127.0.0.1]:80", "[::1]",
        "[::1]80", "[::1:80", "localhost:80", "unix:", "unix:@"}) {
    EXPECT_THROW(Endpoint::parse(text), std::invalid_argument) << text;
  }
}

TEST(EndpointTest, NamesOfUnixSocketsAreAsLongAsTheKernelTakes) {
  const std::string longest(107, 'x');
  EXPECT_EQ(longest, Endpoint::unix_path(longest).name());
  EXPECT_EQ(longest, Endpoint::abstract(longest).name());
  EXPECT_THROW(Endpoint::unix_path(longest + "x"), std::invalid_argument);
  EXPECT_THROW(Endpoint::abstract(longest + "x"), std::invalid_argument);
  const std::string with_nul("a\0b", 3);
  EXPECT_THROW(Endpoint::unix_path(with_nul), std::invalid_argument) << "never cut short";
  EXPECT_EQ(with_nul, Endpoint::abstract(with_nul).name());
}

}  // namespace
}  // namespace asyncio::test

// Resolver and a real name server, dnsmasq, which knows what names.conf and names.hosts say.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using Strings = std::vector<std::string>;

class DnsmasqTest : public LoopTest {
 protected:
  DnsmasqTest() {
    real_time();
    const char* const port = std::getenv("NAME_SERVER_PORT");
    if (port == nullptr) throw std::runtime_error("NAME_SERVER_PORT is not set");
    how.servers = {{IpAddress::loopback_v4(), static_cast<std::uint16_t>(std::stoi(port))}};
    how.search = {"."};
    how.hosts = "/dev/null";
  }

  static Strings addresses(Resolver& resolver, std::string_view name,
                           AddressFamily family = AddressFamily::any) {
    Strings texts;
    for (const IpAddress& one : resolver.resolve(name, family)) texts.push_back(one.to_string());
    return texts;
  }
  static Strings sorted(Strings texts) {
    std::ranges::sort(texts);
    return texts;
  }
  static ResolveError::Why why_not(Resolver& resolver, std::string_view name) {
    try {
      resolver.resolve(name);
    } catch (const ResolveError& error) {
      return error.why();
    }
    ADD_FAILURE() << name << " has addresses";
    return {};
  }

  ResolverOptions how;
};

TEST_F(DnsmasqTest, KnowsBothFamilies) {
  run([this] {
    Resolver resolver{how};
    EXPECT_EQ((Strings{"192.0.2.1", "2001:db8::1"}), sorted(addresses(resolver, "both.test")));
    EXPECT_EQ(Strings{"2001:db8::1"}, addresses(resolver, "both.test", AddressFamily::v6));
    EXPECT_EQ(Strings{"192.0.2.4"}, addresses(resolver, "v4.test"));
  });
}

TEST_F(DnsmasqTest, AliasesAreFollowed) {
  run([this] {
    Resolver resolver{how};
    EXPECT_EQ((Strings{"192.0.2.1", "2001:db8::1"}), sorted(addresses(resolver, "alias.test")));
  });
}

TEST_F(DnsmasqTest, AnAnswerThatIsCutShortIsAskedForByTcp) {
  run([this] {
    Resolver resolver{how};
    EXPECT_EQ(100u, addresses(resolver, "large.test").size());
  });
}

TEST_F(DnsmasqTest, SaysWhatThereIsNot) {
  run([this] {
    Resolver resolver{how};
    using Why = ResolveError::Why;
    EXPECT_EQ(Why::no_such_name, why_not(resolver, "none.test"));
    EXPECT_EQ(Why::server_failed, why_not(resolver, "not.its.business.example"));
    EXPECT_THROW(resolver.resolve("v4.test", AddressFamily::v6), ResolveError);
  });
}

TEST_F(DnsmasqTest, N29_AfterAServerThatIsSilentTheNextIsAsked) {
  run([this] {
    const UdpSocket silent = UdpSocket::bind({IpAddress::loopback_v4(), 0});
    how.servers.insert(how.servers.begin(), silent.local());
    how.timeout = std::chrono::milliseconds{50};
    Resolver resolver{how};
    EXPECT_EQ(Strings{"192.0.2.4"}, addresses(resolver, "v4.test"));
  });
}

TEST_F(DnsmasqTest, SilenceEverywhereIsATimeout) {
  run([this] {
    const UdpSocket silent = UdpSocket::bind({IpAddress::loopback_v4(), 0});
    how.servers = {silent.local()};
    how.timeout = std::chrono::milliseconds{10};
    how.tries = 2;
    Resolver resolver{how};
    EXPECT_EQ(ResolveError::Why::timed_out, why_not(resolver, "v4.test"));
  });
}

TEST_F(DnsmasqTest, DomainsAreSearched) {
  run([this] {
    how.search = {"one.test", "two.test"};
    Resolver resolver{how};
    EXPECT_EQ(Strings{"192.0.2.2"}, addresses(resolver, "web"));
  });
}

TEST_F(DnsmasqTest, ThousandsOfNamesAtOnce) {
  run([this] {
    how.cache_entries = 100;
    Resolver resolver{how};
    TaskGroup::run([&](TaskGroup& group) {
      for (int i = 0; i < 3000; ++i) {
        group.spawn([&, i] {
          const std::string high = std::to_string(i / 250), low = std::to_string(i % 250);
          const std::string name = "host-10-1-" + high + "-" + low + ".crowd.test";
          EXPECT_EQ(Strings{"10.1." + high + "." + low}, addresses(resolver, name));
        });
      }
    });
  });
}

}  // namespace
}  // namespace asyncio::test

// TcpStream::connect to a host by its name.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/io/internal/names/dns_client.h>
#include <asyncio/tests/io/resolver_fixture.h>
#include <asyncio/tests/io/system_names.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

/// A listener whose backlog is full: the kernel drops what comes, as a black hole does.
class BlackHole {
 public:
  explicit BlackHole(const Endpoint& at)
      : listener_(TcpListener::bind(at, {.backlog = 1})),
        first_(TcpStream::connect(listener_.local())),
        second_(TcpStream::connect(listener_.local())) {}

  std::uint16_t port() const { return listener_.local().port(); }

 private:
  TcpListener listener_;
  TcpStream first_;
  TcpStream second_;
};

/// Tries `make` again while a port that is free for one address is taken for the other, by another
/// program.
template <class F>
auto patiently(F&& make) {
  for (int tries = 1;; ++tries) {
    try {
      return make();
    } catch (const IoError&) {
      if (tries == 20) throw;
    }
  }
}

/// The system knows of several addresses of each name.
class ConnectHostTest : public NamesTest {
 protected:
  ConnectOptions by(Resolver& resolver) const {
    ConnectOptions how;
    how.resolver = &resolver;
    return how;
  }
  ResolverOptions by_system() const {
    ResolverOptions how;
    how.kind = Kind::system;
    return how;
  }

  static Endpoint v6_loopback(std::uint16_t port = 0) { return {IpAddress::loopback_v6(), port}; }
  static std::ptrdiff_t descriptors_open() {
    return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {});
  }

  SystemNames system;
};

TEST_F(ConnectHostTest, LiteralsAndNamesLeadToTheSamePlace) {
  system.add("web.test", {"127.0.0.1"});
  run([this] {
    Resolver resolver{by_system()};
    TcpListener listener = TcpListener::bind(loopback());
    const std::uint16_t port = listener.local().port();
    for (const char* host : {"127.0.0.1", "localhost", "web.test"}) {
      const ExpectSuspends always;
      const TcpStream stream = TcpStream::connect(host, port, by(resolver));
      EXPECT_EQ(loopback(port), stream.peer()) << host;
    }
    EXPECT_EQ(loopback(port), TcpStream::connect("localhost", port).peer()) << "the loop's own";
  });
  EXPECT_THROW(TcpStream::connect("localhost", 80), NotInTaskError);
}

TEST_F(ConnectHostTest, N16_ABlackHoleIsLeftAfterAQuarterOfASecond) {
  system.add("web.test", {"::1", "127.0.0.1"});
  run([this] {
    Resolver resolver{by_system()};
    const auto [hole, listener] = patiently([] {
      auto black = std::make_unique<BlackHole>(v6_loopback());
      TcpListener free = TcpListener::bind(loopback(black->port()));
      return std::pair{std::move(black), std::move(free)};
    });
    const std::uint16_t port = hole->port();
    const TimePoint begin = clock.now();
    std::vector<Attempt> attempts;
    ConnectOptions how = by(resolver);
    how.attempts = &attempts;
    EXPECT_EQ(loopback(port), TcpStream::connect("web.test", port, how).peer());
    EXPECT_EQ(250ms, clock.now() - begin);
    ASSERT_EQ(2u, attempts.size());
    EXPECT_EQ(v6_loopback(port), attempts[0].to);
    EXPECT_EQ(std::errc::operation_canceled, attempts[0].code);
    EXPECT_EQ(loopback(port), attempts[1].to);
    EXPECT_FALSE(attempts[1].code);
    how.attempt_delay = 1s;
    TcpStream::connect("web.test", port, how);
    EXPECT_EQ(1250ms, clock.now() - begin);
    how.attempts = &attempts;
    TcpStream::connect(loopback(port), how);
    EXPECT_EQ(1u, attempts.size());
  });
}

TEST_F(ConnectHostTest, N17_ARefusalCostsNoTime) {
  system.add("web.test", {"::1", "127.0.0.2", "127.0.0.1"});
  run([this] {
    Resolver resolver{by_system()};
    TcpListener listener = TcpListener::bind(loopback());
    const std::uint16_t port = listener.local().port();
    EXPECT_EQ(loopback(port), TcpStream::connect("web.test", port, by(resolver)).peer());
  });
  EXPECT_EQ(0s, elapsed());
}

TEST_F(ConnectHostTest, N18_WhenAllFailTheErrorListsEachAttempt) {
  system.add("web.test", {"::1", "127.0.0.2"});
  system.add("one.test", {"127.0.0.2"});
  run([this] {
    Resolver resolver{by_system()};
    const std::uint16_t port = TcpListener::bind(loopback()).local().port();
    const std::string number = std::to_string(port);
    try {
      TcpStream::connect("web.test", port, by(resolver));
      ADD_FAILURE() << "nobody listens";
    } catch (const ConnectError& error) {
      ASSERT_EQ(2u, error.attempts().size());
      EXPECT_EQ(v6_loopback(port), error.attempts()[0].to);
      EXPECT_EQ(std::errc::connection_refused, error.attempts()[0].code);
      EXPECT_EQ(Endpoint(IpAddress::parse("127.0.0.2"), port), error.attempts()[1].to);
      EXPECT_EQ("TcpStream::connect(web.test:" + number + "): none of 2 addresses works ([::1]:" +
                    number + ": Connection refused; 127.0.0.2:" + number +
                    ": Connection refused): Connection refused",
                std::string{error.what()});
    }
    EXPECT_EQ(
        "TcpStream::connect(one.test:" + number + ") at 127.0.0.2: Connection refused",
        message_of<ConnectError>([&] { TcpStream::connect("one.test", port, by(resolver)); }));
  });
}

TEST_F(ConnectHostTest, N20_ACancelClosesEverySocket) {
  system.add("web.test", {"::1", "127.0.0.1", "127.0.0.2"});
  run([this] {
    Resolver resolver{by_system()};
    const auto holes = patiently([] {
      std::vector<std::unique_ptr<BlackHole>> all;
      all.push_back(std::make_unique<BlackHole>(v6_loopback()));
      const std::uint16_t same = all.front()->port();
      all.push_back(std::make_unique<BlackHole>(loopback(same)));
      all.push_back(std::make_unique<BlackHole>(Endpoint{IpAddress::parse("127.0.0.2"), same}));
      return all;
    });
    const std::uint16_t port = holes.front()->port();
    const std::ptrdiff_t before = descriptors_open();
    auto connecting = create_task([&] { TcpStream::connect("web.test", port, by(resolver)); });
    sleep(600ms);
    ASSERT_FALSE(connecting.is_done());
    EXPECT_EQ(before + 3, descriptors_open());
    connecting.cancel();
    EXPECT_THROW(await(connecting), TaskCancelledException);
    EXPECT_EQ(before, descriptors_open());
    EXPECT_THROW(timeout(600ms, [&] { TcpStream::connect("web.test", port, by(resolver)); }),
                 TimeoutException);
    EXPECT_EQ(before, descriptors_open());
  });
}

TEST_F(ConnectHostTest, N22_AnAddressThatFindsItselfIsRefusedAndTheNextTried) {
  system.add("web.test", {"127.0.0.2", "127.0.0.1"});
  run([this] {
    Resolver resolver{by_system()};
    const std::uint16_t port = TcpListener::bind(loopback()).local().port();
    ConnectOptions how = by(resolver);
    how.from = Endpoint{IpAddress::parse("127.0.0.2"), port};
    try {
      TcpStream::connect("web.test", port, how);
      ADD_FAILURE() << "there is nobody";
    } catch (const ConnectError& error) {
      ASSERT_EQ(2u, error.attempts().size());
      EXPECT_EQ(std::errc::connection_refused, error.attempts()[0].code);
    }
  });
}

TEST_F(ConnectHostTest, WhereItComesFromTellsTheFamily) {
  system.add("web.test", {"::1", "127.0.0.1"});
  run([this] {
    Resolver resolver{by_system()};
    TcpListener listener = TcpListener::bind(Endpoint::any(0));
    const std::uint16_t port = listener.local().port();
    ConnectOptions how = by(resolver);
    EXPECT_EQ(v6_loopback(port), TcpStream::connect("web.test", port, how).peer());
    how.from = loopback();
    EXPECT_EQ(loopback(port), TcpStream::connect("web.test", port, how).peer());
  });
}

TEST_F(ConnectHostTest, WhatIsWrongWithTheOptionsIsSaidOnce) {
  system.add("web.test", {"::1", "127.0.0.1"});
  run([this] {
    Resolver resolver{by_system()};
    ConnectOptions how = by(resolver);
    how.keep_alive = KeepAlive{.interval = -1s};
    EXPECT_THROW(TcpStream::connect("web.test", 80, how), std::invalid_argument);
    EXPECT_EQ(Why::no_such_name,
              why_not([&] { TcpStream::connect("none.test", 80, by(resolver)); }));
  });
}

TEST_F(ConnectHostTest, N21_ItConnectsBeforeTheAnswerAboutV6) {
  if (!detail::have_dns_client()) {
    loop();
    GTEST_SKIP() << "built without c-ares";
  }
  run([this] {
    NameServer server{[](const NameServer::Question& question) {
      const bool is_v6 = question.family == AddressFamily::v6;
      return is_v6 ? std::nullopt : always({"127.0.0.1"})(question);
    }};
    Resolver resolver{options_with(server)};
    TcpListener listener = TcpListener::bind(loopback());
    const std::uint16_t port = listener.local().port();
    const TimePoint begin = clock.now();
    EXPECT_EQ(loopback(port), TcpStream::connect("web.test", port, by(resolver)).peer());
    EXPECT_EQ(50ms, clock.now() - begin);
    EXPECT_EQ((Texts{"A web.test", "AAAA web.test"}), server.asked());
  });
}

TEST_F(ConnectHostTest, N25_AConnectThatWaitsForItsNameEndsWithItsScope) {
  if (!detail::have_dns_client()) {
    loop();
    GTEST_SKIP() << "built without c-ares";
  }
  run([this] {
    NameServer server{silence()};
    Resolver resolver{options_with(server)};
    const std::ptrdiff_t before = descriptors_open();
    EXPECT_THROW(timeout(1s, [&] { TcpStream::connect("web.test", 80, by(resolver)); }),
                 TimeoutException);
    EXPECT_GE(before + 2, descriptors_open()) << "the resolver's set and its timer";
  });
}

}  // namespace
}  // namespace asyncio::test

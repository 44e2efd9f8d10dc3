// TcpListener: binding, sharing and accepting, also when something is short.
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/system_calls.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/support/few_descriptors.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/scale.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class TcpListenerTest : public LoopTest {};

bool has_v6() {
  const int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = IN6ADDR_LOOPBACK_INIT;
  const bool has =
      fd >= 0 && ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return has;
}

// ---- Binding ------------------------------------------------------------------------------------

TEST_F(TcpListenerTest, AcceptsWhoConnects) {
  run([] {
    TcpListener listener = TcpListener::bind(loopback());
    EXPECT_NE(0, listener.local().port());
    auto client = create_task([&] {
      TcpStream stream = TcpStream::connect(listener.local());
      stream.write_all("hello");
    });
    TcpStream server = listener.accept();
    EXPECT_EQ("hello", read_to_end(server));
    await(std::move(client));
  });
}

TEST_F(TcpListenerTest, N42_AnyIsOnePortInBothFamilies) {
  run([] {
    TcpListener listener = TcpListener::bind(Endpoint::any(0));
    const std::uint16_t port = listener.local().port();
    ASSERT_NE(0, port);
    std::vector<IpAddress> addresses{IpAddress::loopback_v4()};
    if (has_v6()) {
      EXPECT_EQ(Endpoint::any(port), listener.local());
      addresses.push_back(IpAddress::loopback_v6());
    }
    for (const IpAddress& address : addresses) {
      auto client = create_task([&] { return TcpStream::connect({address, port}); });
      TcpStream server = listener.accept();
      EXPECT_EQ(address, server.peer().address()) << "no IPv4 address dressed up as IPv6";
      EXPECT_EQ((Endpoint{address, port}), server.local());
      await(std::move(client));
    }
  });
}

TEST_F(TcpListenerTest, TheV6AddressAloneLeavesThePortToV4) {
  if (!has_v6()) GTEST_SKIP() << "this machine has no IPv6";
  run([] {
    // Another program may have the same port in IPv4.
    std::optional<TcpListener> v6;
    std::optional<TcpListener> v4;
    std::uint16_t port = 0;
    for (int attempts_left = 100; !v4; --attempts_left) {
      v6 = TcpListener::bind({IpAddress::any_v6(), 0});
      port = v6->local().port();
      EXPECT_EQ((Endpoint{IpAddress::any_v6(), port}), v6->local());
      try {
        v4 = TcpListener::bind({IpAddress::any_v4(), port});
      } catch (const IoError&) {
        if (attempts_left == 0) throw;
      }
    }
    EXPECT_THROW(TcpListener::bind(Endpoint::any(port)), IoError);
  });
}

TEST_F(TcpListenerTest, WhatCannotBeListenedOnIsRefused) {
  run([] {
    TcpListener listener = TcpListener::bind(loopback());
    const Endpoint taken = listener.local();
    const std::string said = message_of<IoError>([&] { TcpListener::bind(taken); });
    EXPECT_EQ("TcpListener::bind(" + taken.to_string() + "): Address already in use", said);
    EXPECT_THROW(TcpListener::bind(Endpoint::unix_path("/run/x")), std::invalid_argument);
    ListenOptions how;
    how.backlog = 0;
    EXPECT_THROW(TcpListener::bind(loopback(), how), std::invalid_argument);
    EXPECT_THROW(TcpListener::shards(loopback(), 0), std::invalid_argument);
  });
  EXPECT_THROW(TcpListener::bind(loopback()), NoRunningLoopError);
}

TEST_F(TcpListenerTest, AfterItsConnectionsHaveEndedThePortCanBeUsedAgain) {
  run([] {
    std::optional<TcpListener> listener{TcpListener::bind(loopback())};
    const Endpoint at = listener->local();
    auto client = create_task([&] { return TcpStream::connect(at); });
    TcpStream server = listener->accept();
    listener.reset();
    server.close();  // first, so the connection stays in TIME_WAIT
    await(std::move(client));
    TcpListener::bind(at);
  });
}

TEST_F(TcpListenerTest, N43_ShardsGetEqualShares) {
  run([] {
    constexpr std::size_t count = 4;
    std::vector<TcpListener> shards = TcpListener::shards(Endpoint::any(0), count);
    const std::uint16_t port = shards.front().local().port();
    std::vector<std::size_t> accepted(count);
    std::vector<Task<void>> tasks;
    for (std::size_t i = 0; i < count; ++i) {
      EXPECT_EQ(shards.front().local(), shards[i].local());
      tasks.push_back(create_task([&, i] {
        for (;;) {
          TcpStream stream = shards[i].accept();
          ++accepted[i];
        }
      }));
    }
    const std::size_t connects = scaled(10'000);
    for (std::size_t i = 0; i < connects; ++i) TcpStream::connect(loopback(port)).reset();
    settle();
    for (auto& task : tasks) task.cancel();
    std::size_t all = 0;
    for (const std::size_t share : accepted) {
      EXPECT_GE(share, connects * 15 / 100);
      EXPECT_LE(share, connects * 35 / 100);
      all += share;
    }
    EXPECT_EQ(connects, all);
  });
}

// ---- Accepting ----------------------------------------------------------------------------------

TEST_F(TcpListenerTest, N37_AConnectionBeginsWithItsOptionsSoNoneCanFail) {
  run([] {
    ListenOptions how;
    how.keep_alive = KeepAlive{.idle = 7s, .interval = 8s, .probes = 3};
    TcpListener listener = TcpListener::bind(loopback(), how);
    auto client = create_task([&] { return TcpStream::connect(listener.local()); });
    settle();
    await(std::move(client));
    const std::size_t set = times(Call::setsockopt);
    TcpStream server = listener.accept();
    EXPECT_EQ(set, times(Call::setsockopt));
    const auto option = [&](int level, int name) {
      int value = -1;
      socklen_t size = sizeof value;
      EXPECT_EQ(0, ::getsockopt(server.fd(), level, name, &value, &size));
      return value;
    };
    EXPECT_NE(0, option(IPPROTO_TCP, TCP_NODELAY));
    EXPECT_NE(0, option(SOL_SOCKET, SO_KEEPALIVE));
    EXPECT_EQ(7, option(IPPROTO_TCP, TCP_KEEPIDLE));
    EXPECT_EQ(8, option(IPPROTO_TCP, TCP_KEEPINTVL));
    EXPECT_EQ(3, option(IPPROTO_TCP, TCP_KEEPCNT));
    EXPECT_NE(0, ::fcntl(server.fd(), F_GETFL) & O_NONBLOCK);
    EXPECT_EQ(FD_CLOEXEC, ::fcntl(server.fd(), F_GETFD));
  });
}

TEST_F(TcpListenerTest, N38_AConnectionThatIsGoneIsPassedOver) {
  run([] {
    TcpListener listener = TcpListener::bind(loopback());
    for (const int error : {ECONNABORTED, EPROTO, ENETDOWN, EPERM, EINTR}) {
      auto client = create_task([&] { return TcpStream::connect(listener.local()); });
      fail_next(Call::accept4, error, 2);
      const TcpStream server = listener.accept();
      await(std::move(client));
    }
    auto client = create_task([&] { return TcpStream::connect(listener.local()); });
    fail_next(Call::accept4, EINVAL);
    EXPECT_THROW(listener.accept(), IoError) << "that is the listener's own";
    listener.accept();
    await(std::move(client));
  });
}

TEST_F(TcpListenerTest, N36_OutOfDescriptorsItWaitsAndWarnsRarelyAndRecovers) {
  run([&] {
    TcpListener listener = TcpListener::bind(loopback());
    std::vector<TcpStream> clients;
    for (int i = 0; i < 200; ++i) clients.push_back(TcpStream::connect(listener.local()));
    std::vector<TcpStream> served;
    auto server = create_task([&] {
      while (served.size() < clients.size()) served.push_back(listener.accept());
    });
    const std::size_t before = times(Call::accept4);
    {
      const FewDescriptors few{20};
      sleep(60s);
      EXPECT_FALSE(server.is_done());
      EXPECT_LE(times(Call::accept4) - before, 20u + 60u + 10u) << "it tries ever more rarely";
    }
    EXPECT_GE(reports.size(), 1u);
    EXPECT_LE(reports.size(), 61u);
    EXPECT_TRUE(contains(reports.at(0), "Too many open files")) << reports.at(0);
    EXPECT_TRUE(contains(reports.at(0), "ulimit -n")) << reports.at(0);
    reports.clear();
    await(server);
    EXPECT_EQ(clients.size(), served.size());
  });
}

TEST_F(TcpListenerTest, ClosedWhileItIsShortOfSomethingItEndsAtOnce) {
  run([&] {
    TcpListener listener = TcpListener::bind(loopback());
    const TcpStream client = TcpStream::connect(listener.local());
    fail_next(Call::accept4, ENFILE, 1000);
    auto server = create_task([&] { listener.accept(); });
    sleep(10s);
    const Duration before = elapsed();
    listener.close();
    EXPECT_THROW(await(server), ClosedError);
    EXPECT_EQ(before, elapsed());
    fail_next(Call::accept4, 0, 0);
    EXPECT_FALSE(reports.empty());
    reports.clear();
  });
}

TEST_F(TcpListenerTest, ConnectionsThatAreThereAlreadyStarveNobody) {
  run([] {
    TcpListener listener = TcpListener::bind(loopback());
    std::vector<TcpStream> clients;
    for (int i = 0; i < 200; ++i) clients.push_back(TcpStream::connect(listener.local()));
    const std::uint64_t turns = get_event_loop().statistics().turns;
    for (std::size_t i = 0; i < clients.size(); ++i) listener.accept();
    EXPECT_GE(get_event_loop().statistics().turns, turns + 3);
  });
}

TEST_F(TcpListenerTest, ASecondTaskThatAcceptsIsToldSo) {
  run([] {
    TcpListener listener = TcpListener::bind(loopback());
    auto first = create_task([&] { listener.accept(); });
    settle();
    EXPECT_THROW(listener.accept(), BusyError);
    first.cancel();
    EXPECT_THROW(await(first), TaskCancelledException);
    auto client = create_task([&] { return TcpStream::connect(listener.local()); });
    listener.accept();
    await(std::move(client));
  });
}

TEST_F(TcpListenerTest, ClosedWhileATaskAcceptsItTellsHim) {
  run([] {
    std::optional<TcpListener> listener{TcpListener::bind(loopback())};
    auto server = create_task([&] { listener->accept(); });
    settle();
    listener->close();
    EXPECT_TRUE(listener->is_closed());
    EXPECT_THROW(await(server), ClosedError);
    EXPECT_THROW(listener->accept(), ClosedError);
    EXPECT_THROW(listener->local(), ClosedError);
  });
}

TEST_F(TcpListenerTest, MovedWhileATaskAcceptsItGoesOn) {
  run([] {
    TcpListener listener = TcpListener::bind(loopback());
    const Endpoint at = listener.local();
    auto server = create_task([&] { return listener.accept(); });
    settle();
    TcpListener moved{std::move(listener)};
    TcpStream client = TcpStream::connect(at);
    EXPECT_EQ(client.local(), await(std::move(server)).peer());
  });
}

// ---- From and to elsewhere ----------------------------------------------------------------------

TEST_F(TcpListenerTest, ReleasedAndAdoptedItKeepsWhoIsWaiting) {
  run([] {
    TcpListener listener = TcpListener::bind(loopback());
    const TcpStream client = TcpStream::connect(listener.local());
    TcpListener adopted = TcpListener::adopt(std::move(listener).release());
    EXPECT_TRUE(listener.is_closed());
    EXPECT_EQ(client.local(), adopted.accept().peer());
  });
}

TEST_F(TcpListenerTest, ClosingAnAdoptedOneLeavesItToWhoElseHasIt) {
  run([] {
    TcpListener listener = TcpListener::bind(loopback());
    TcpListener adopted = TcpListener::adopt(::dup(listener.fd()));
    adopted.close();
    const TcpStream client = TcpStream::connect(listener.local());
    EXPECT_EQ(client.local(), listener.accept().peer());
  });
}

TEST_F(TcpListenerTest, WhatDoesNotListenIsNotAdoptedAndStaysTheCallers) {
  run([] {
    SocketPair unix_sockets;
    TcpPair pair = make_tcp_pair();
    for (const int fd : {unix_sockets.a(), pair.client.fd()}) {
      const std::string said = message_of<std::invalid_argument>([&] { TcpListener::adopt(fd); });
      EXPECT_TRUE(contains(said, "it is not a TCP socket that listens")) << said;
    }
    pair.client.write_all("x");
    EXPECT_EQ("x", read_exactly(pair.server, 1));
  });
}

}  // namespace
}  // namespace asyncio::test

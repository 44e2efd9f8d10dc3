// TcpStream::connect to one endpoint.
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/open_descriptors.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class TcpConnectTest : public LoopTest {};

/// A port of the loopback on which nobody listens.
std::uint16_t dead_port() { return TcpListener::bind(loopback()).local().port(); }

TEST_F(TcpConnectTest, SuspendsAlways) {
  run([] {
    TcpListener listener = TcpListener::bind(loopback());
    const Endpoint to = listener.local();
    const ExpectSuspends always;
    TcpStream::connect(to);
  });
}

TEST_F(TcpConnectTest, ARefusalNamesTheEndpointAndListsTheAttempt) {
  run([] {
    const Endpoint to = loopback(dead_port());
    try {
      TcpStream::connect(to);
      ADD_FAILURE() << "nobody listens there";
    } catch (const ConnectError& error) {
      EXPECT_EQ("TcpStream::connect(" + to.to_string() + "): Connection refused",
                std::string{error.what()});
      ASSERT_EQ(1u, error.attempts().size());
      EXPECT_EQ(to, error.attempts()[0].to);
      EXPECT_EQ(std::errc::connection_refused, error.attempts()[0].code);
    }
  });
}

TEST_F(TcpConnectTest, WhatCannotBeConnectedToIsRefused) {
  run([] {
    EXPECT_THROW(TcpStream::connect(Endpoint::unix_path("/run/x")), std::invalid_argument);
    ConnectOptions how;
    how.keep_alive = KeepAlive{.interval = -1s};
    EXPECT_THROW(TcpStream::connect(loopback(1), how), std::invalid_argument);
  });
  EXPECT_THROW(TcpStream::connect(loopback(1)), NotInTaskError);
}

TEST_F(TcpConnectTest, N20_ACancelledConnectLeavesNoDescriptor) {
  run([] {
    // A listener without room, so that whoever comes next has to wait.
    ListenOptions how;
    how.backlog = 1;
    TcpListener listener = TcpListener::bind(loopback(), how);
    const Endpoint to = listener.local();
    const TcpStream first = TcpStream::connect(to);
    const TcpStream second = TcpStream::connect(to);
    const std::ptrdiff_t before = open_descriptors();
    auto connecting = create_task([&] { TcpStream::connect(to); });
    settle();
    ASSERT_FALSE(connecting.is_done()) << "the listener took more than it was told to";
    EXPECT_EQ(before + 1, open_descriptors());
    connecting.cancel();
    EXPECT_THROW(await(connecting), TaskCancelledException);
    EXPECT_EQ(before, open_descriptors());
  });
}

TEST_F(TcpConnectTest, ATimeoutIsAScopes) {
  run([] {
    ListenOptions how;
    how.backlog = 1;
    TcpListener listener = TcpListener::bind(loopback(), how);
    const Endpoint to = listener.local();
    const TcpStream first = TcpStream::connect(to);
    const TcpStream second = TcpStream::connect(to);
    EXPECT_THROW(timeout(5s, [&] { TcpStream::connect(to); }), TimeoutException);
  });
}

TEST_F(TcpConnectTest, N22_ASocketThatFindsItselfIsRefused) {
  run([] {
    const Endpoint dead = loopback(dead_port());
    ConnectOptions how;
    how.from = dead;  // as the kernel does in one of some 30,000 tries
    const std::ptrdiff_t before = open_descriptors();
    try {
      TcpStream::connect(dead, how);
      ADD_FAILURE() << "there is nobody";
    } catch (const ConnectError& error) {
      EXPECT_EQ(std::errc::connection_refused, error.code());
    }
    EXPECT_EQ(before, open_descriptors());
    how.from = loopback(dead_port());
    EXPECT_THROW(TcpStream::connect({IpAddress::any_v4(), how.from->port()}, how), ConnectError);
  });
}

TEST_F(TcpConnectTest, TheAddressToComeFromCanBeChosen) {
  run([] {
    TcpListener listener = TcpListener::bind(loopback());
    ConnectOptions how;
    how.from = Endpoint{IpAddress::parse("127.0.0.2"), 0};
    auto client = create_task([&] { return TcpStream::connect(listener.local(), how); });
    TcpStream server = listener.accept();
    EXPECT_EQ(how.from->address(), server.peer().address());
    await(std::move(client));
    how.from = Endpoint{IpAddress::parse("192.0.2.1"), 0};
    const std::string said =
        message_of<IoError>([&] { TcpStream::connect(listener.local(), how); });
    EXPECT_TRUE(contains(said, "192.0.2.1:0")) << said;
  });
}

}  // namespace
}  // namespace asyncio::test

// UdpSocket.
#include <array>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class UdpTest : public LoopTest {
 protected:
  std::string_view first(std::size_t size) const { return text(ConstBytes{buffer}.first(size)); }

  std::array<std::byte, 64> buffer;
};

TEST_F(UdpTest, ADatagramArrivesWholeWithItsSender) {
  run([this] {
    UdpSocket server = UdpSocket::bind(loopback());
    UdpSocket client = UdpSocket::connect(server.local());
    client.send(bytes("one"));
    client.send({});
    Received got = server.receive(buffer);
    EXPECT_EQ("one", first(got.size));
    EXPECT_EQ(client.local(), got.from);
    EXPECT_FALSE(got.truncated);
    EXPECT_EQ(0u, server.receive(buffer).size) << "one of no bytes is one too";
    server.send_to(bytes("answer"), got.from);
    got = client.receive(buffer);
    EXPECT_EQ("answer", first(got.size));
    EXPECT_EQ(client.peer(), got.from);
  });
}

TEST_F(UdpTest, N47_WhatIsTooLargeIsTruncatedAndSaysSo) {
  run([this] {
    UdpSocket server = UdpSocket::bind(loopback());
    UdpSocket client = UdpSocket::connect(server.local());
    client.send(bytes(std::string(65, 'x')));
    client.send(bytes(std::string(64, 'y')));
    Received got = server.receive(buffer);
    EXPECT_EQ(64u, got.size);
    EXPECT_TRUE(got.truncated);
    got = server.receive(buffer);
    EXPECT_EQ(64u, got.size);
    EXPECT_FALSE(got.truncated);
    EXPECT_EQ("y", first(1)) << "nothing is left of the first";
    EXPECT_THROW(client.send(bytes(std::string(70'000, 'x'))), IoError);
  });
}

TEST_F(UdpTest, N48_ADeadPortIsAnErrorOnlyOfAConnectedSocket) {
  run([this] {
    const Endpoint dead = UdpSocket::bind(loopback()).local();
    UdpSocket connected = UdpSocket::connect(dead);
    connected.send(bytes("anybody?"));
    try {
      connected.receive(buffer);
      ADD_FAILURE() << "must throw";
    } catch (const IoError& error) {
      EXPECT_EQ(std::errc::connection_refused, error.code());
    }
    UdpSocket server = UdpSocket::bind(loopback());
    for (int i = 0; i < 3; ++i) server.send_to(bytes("anybody?"), dead);
    UdpSocket client = UdpSocket::connect(server.local());
    client.send(bytes("I am"));
    EXPECT_EQ(4u, server.receive(buffer).size);
  });
}

TEST_F(UdpTest, ManyComeAtOnce) {
  run([] {
    UdpSocket server = UdpSocket::bind(loopback());
    UdpSocket client = UdpSocket::connect(server.local());
    for (int i = 0; i < 70; ++i) client.send(bytes(std::to_string(i)));
    std::vector<std::array<std::byte, 8>> memory(100);
    std::vector<DatagramSlot> slots;
    for (auto& into : memory) slots.push_back({into});
    EXPECT_EQ(32u, server.receive_many(slots));
    for (int i = 0; i < 32; ++i) {
      const DatagramSlot& slot = slots[static_cast<std::size_t>(i)];
      EXPECT_EQ(std::to_string(i), text(ConstBytes{slot.into}.first(slot.received.size)));
      EXPECT_EQ(client.local(), slot.received.from);
    }
    EXPECT_EQ(32u, server.receive_many(slots));
    EXPECT_EQ(6u, server.receive_many(slots));
    EXPECT_EQ("69", text(ConstBytes{slots[5].into}.first(slots[5].received.size)));
    EXPECT_THROW(server.receive_many({}), std::invalid_argument);
  });
}

TEST_F(UdpTest, AnyIsOneSocketForBothFamilies) {
  run([this] {
    UdpSocket server = UdpSocket::bind(Endpoint::any(0));
    const std::uint16_t port = server.local().port();
    UdpSocket client = UdpSocket::connect(loopback(port));
    client.send(bytes("v4"));
    const Received got = server.receive(buffer);
    EXPECT_EQ(client.local(), got.from) << "told as IPv4";
    server.send_to(bytes("back"), got.from);
    EXPECT_EQ(4u, client.receive(buffer).size);
  });
}

TEST_F(UdpTest, ACancelledReceiveLosesNothing) {
  run([this] {
    UdpSocket server = UdpSocket::bind(loopback());
    auto task = create_task([&] { server.receive(buffer); });
    settle();
    EXPECT_THROW(server.receive(buffer), BusyError);
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    UdpSocket::connect(server.local()).send(bytes("kept"));
    EXPECT_EQ(4u, server.receive(buffer).size);
    auto last = create_task([&] { server.receive(buffer); });
    settle();
    server.close();
    EXPECT_THROW(await(last), ClosedError);
    EXPECT_THROW(server.send_to(bytes("x"), loopback(1)), ClosedError);
  });
}

TEST_F(UdpTest, WhatMakesNoSenseIsRefusedByName) {
  run([] {
    UdpSocket server = UdpSocket::bind(loopback());
    const std::string said = message_of<std::invalid_argument>([&] {
      server.send_to(bytes("x"), {IpAddress::loopback_v6(), 1});
    });
    EXPECT_TRUE(contains(said, "UdpSocket::send_to([::1]:1): the socket is one of IPv4")) << said;
    EXPECT_THROW(server.send_to(bytes("x"), Endpoint::unnamed()), std::invalid_argument);
    EXPECT_THROW(UdpSocket::bind(Endpoint::abstract("x")), std::invalid_argument);
    EXPECT_THROW(UdpSocket::connect(Endpoint::abstract("x")), std::invalid_argument);
    EXPECT_THROW(server.send(bytes("x")), IoError) << "it has no peer";
  });
}

}  // namespace
}  // namespace asyncio::test

// UnixDatagram.
#include <array>
#include <cstddef>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/temporary_folder.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class UnixDatagramTest : public LoopTest {
 protected:
  std::string receive(UnixDatagram& socket) {
    return std::string{text(ConstBytes{buffer}.first(socket.receive(buffer).size))};
  }

  TemporaryFolder folder;
  std::array<std::byte, 64> buffer;
};

TEST_F(UnixDatagramTest, WhatIsSentToAPathIsReceivedWithItsSender) {
  run([this] {
    UnixDatagram here = UnixDatagram::bind(folder.endpoint("here"));
    UnixDatagram there = UnixDatagram::bind(folder.endpoint("there"));
    here.send_to(bytes("hello"), there.local());
    const Received got = there.receive(buffer);
    EXPECT_EQ(5u, got.size);
    EXPECT_EQ(folder.endpoint("here"), got.from);
    there.send_to(bytes("and back"), got.from);
    EXPECT_EQ("and back", receive(here));
    UnixDatagram nameless = UnixDatagram::connect(here.local());
    nameless.send(bytes(""));
    nameless.send(bytes("x"));
    std::array<DatagramSlot, 4> slots{DatagramSlot{std::span{buffer}.first(8)},
                                      DatagramSlot{std::span{buffer}.subspan(8, 8)},
                                      DatagramSlot{std::span{buffer}.subspan(16, 8)},
                                      DatagramSlot{std::span{buffer}.subspan(24, 8)}};
    EXPECT_EQ(2u, here.receive_many(slots));
    EXPECT_EQ(0u, slots[0].received.size);
    EXPECT_EQ(1u, slots[1].received.size);
    EXPECT_EQ(Endpoint::unnamed(), slots[1].received.from);
  });
}

TEST_F(UnixDatagramTest, AbstractNamesAndPairsWorkToo) {
  run([this] {
    const Endpoint name =
        Endpoint::abstract("asyncio-test-" + std::to_string(::getpid()) + "-datagram");
    UnixDatagram named = UnixDatagram::bind(name);
    UnixDatagram::connect(name).send(bytes("by name"));
    EXPECT_EQ("by name", receive(named));
    auto [one, other] = UnixDatagram::pair();
    one.send(bytes("to the other"));
    EXPECT_EQ("to the other", receive(other));
  });
}

TEST_F(UnixDatagramTest, N44_APathHasItsModeAndGoesWithItsSocket) {
  run([this] {
    UnixDatagram first = UnixDatagram::bind(folder.endpoint(), {.mode = 0640});
    struct stat info {};
    ASSERT_EQ(0, ::stat(folder.file("socket").c_str(), &info));
    EXPECT_EQ(0640u, info.st_mode & 07777u);
    EXPECT_THROW(UnixDatagram::bind(folder.endpoint(), {.replace_stale = true}), IoError);
    UnixDatagram moved = std::move(first);
    first.close();
    EXPECT_TRUE(std::filesystem::exists(folder.file("socket")));
    moved.close();
    EXPECT_FALSE(std::filesystem::exists(folder.file("socket")));
    EXPECT_THROW(moved.send_to(bytes("x"), folder.endpoint()), ClosedError);
  });
}

TEST_F(UnixDatagramTest, N47_WhatDoesNotFitIsTruncatedAndSaidToBe) {
  run([this] {
    auto [one, other] = UnixDatagram::pair();
    one.send(bytes("more than there is room for"));
    const Received got = other.receive(std::span{buffer}.first(4));
    EXPECT_EQ(4u, got.size);
    EXPECT_TRUE(got.truncated);
  });
}

TEST_F(UnixDatagramTest, ASenderWaitsForAReceiverThatIsSlow) {
  run([this] {
    UnixDatagram there = UnixDatagram::bind(folder.endpoint());
    UnixDatagram stranger = UnixDatagram::bind(folder.endpoint("stranger"));
    auto [one, other] = UnixDatagram::pair();
    constexpr int count = 1000;  // more than a queue takes
    auto strangers = create_task([&] {
      for (int i = 0; i < count; ++i) stranger.send_to(bytes("x"), there.local());
    });
    auto peers = create_task([&, &one = one] {
      for (int i = 0; i < count; ++i) one.send(bytes("x"));
    });
    settle();
    EXPECT_FALSE(strangers.is_done());
    EXPECT_FALSE(peers.is_done());
    const std::uint64_t turns = get_event_loop().statistics().turns;
    sleep(10s);
    EXPECT_LE(get_event_loop().statistics().turns, turns + 1000)
        << "it looks, but not all the time";
    for (int i = 0; i < count; ++i) {
      EXPECT_EQ("x", receive(there));
      EXPECT_EQ("x", receive(other));
    }
    await(std::move(strangers));
    await(std::move(peers));
  });
}

TEST_F(UnixDatagramTest, WhereNobodyIsItSaysSo) {
  run([this] {
    auto [one, other] = UnixDatagram::pair();
    const std::string said = message_of<IoError>([&, &one = one] {
      UnixDatagram::bind(folder.endpoint()).send_to(bytes("x"), folder.endpoint("nobody"));
    });
    EXPECT_TRUE(contains(said, "nobody): No such file")) << said;
    EXPECT_THROW(UnixDatagram::connect(folder.endpoint("nobody")), IoError);
    other.close();
    EXPECT_THROW(one.send(bytes("x")), IoError);
    EXPECT_THROW(one.send_to(bytes("x"), Endpoint::any(1)), std::invalid_argument);
    EXPECT_THROW(UnixDatagram::bind(Endpoint::unnamed()), std::invalid_argument);
    EXPECT_THROW(UnixDatagram::bind(folder.endpoint(), {.mode = 01000}), std::invalid_argument);
  });
}

}  // namespace
}  // namespace asyncio::test

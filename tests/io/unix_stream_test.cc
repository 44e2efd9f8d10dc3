// UnixStream.
#include <array>
#include <cerrno>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/open_descriptors.h>
#include <asyncio/tests/io/system_calls.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/io/temporary_folder.h>
#include <asyncio/tests/support/few_descriptors.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class UnixStreamTest : public LoopTest {
 protected:
  TemporaryFolder folder;
  std::array<std::byte, 64> buffer;
};

// ---- Connecting ---------------------------------------------------------------------------------

TEST_F(UnixStreamTest, ARefusedConnectSaysWhereAndWhy) {
  run([this] {
    try {
      UnixStream::connect(folder.endpoint("nobody"));
      ADD_FAILURE() << "must throw";
    } catch (const ConnectError& error) {
      EXPECT_EQ(std::errc::no_such_file_or_directory, error.code());
      EXPECT_EQ(folder.endpoint("nobody"), error.attempts()[0].to);
      EXPECT_TRUE(contains(error.what(), "nobody")) << error.what();
    }
    EXPECT_THROW(UnixStream::connect({IpAddress::loopback_v4(), 1}), std::invalid_argument);
    EXPECT_THROW(UnixStream::connect(Endpoint::unnamed()), std::invalid_argument);
  });
}

TEST_F(UnixStreamTest, N24_WhileTheBacklogIsFullConnectTriesAgain) {
  run([this] {
    UnixListener listener = UnixListener::bind(folder.endpoint(), {.backlog = 1});
    std::vector<UnixStream> queued;  // Linux takes one more than it was told
    for (int i = 0; i < 2; ++i) queued.push_back(UnixStream::connect(folder.endpoint()));
    EXPECT_THROW(timeout(10s, [this] { UnixStream::connect(folder.endpoint()); }),
                 TimeoutException);
    EXPECT_EQ(Duration{10s}, elapsed());
    auto client = create_task([this] { return UnixStream::connect(folder.endpoint()); });
    settle();
    EXPECT_FALSE(client.is_done());
    for (int i = 0; i < 3; ++i) listener.accept();
    EXPECT_FALSE(await(std::move(client)).is_closed());
  });
}

TEST_F(UnixStreamTest, APeerOfThisProcessIsThisProcess) {
  run([] {
    auto [one, other] = UnixStream::pair();
    const Credentials who = one.peer_credentials();
    EXPECT_EQ(::getpid(), who.pid);
    EXPECT_EQ(::geteuid(), who.uid);
    EXPECT_EQ(::getegid(), who.gid);
    one.close();
    EXPECT_THROW(one.peer_credentials(), ClosedError);
  });
}

TEST_F(UnixStreamTest, ReleasedAndAdoptedItGoesOn) {
  run([this] {
    auto [one, other] = UnixStream::pair();
    UnixStream adopted = UnixStream::adopt(std::move(one).release());
    adopted.write_all("on");
    EXPECT_EQ(2u, other.read_some(buffer));
    TcpPair tcp = make_tcp_pair();
    EXPECT_THROW(UnixStream::adopt(tcp.client.fd()), std::invalid_argument);
  });
}

TEST_F(UnixStreamTest, N10_APeerThatIsGoneWhileWeOnlyWriteKeepsTheLoopQuiet) {
  run([] {
    auto [one, other] = UnixStream::pair();
    const std::string all(4 << 20, 'x');
    auto writer = create_task([&one = one, &all] { one.write_all(all); });
    settle();
    ASSERT_FALSE(writer.is_done());
    other.close();
    EXPECT_THROW(await(writer), IoError);
    settle();
    const std::uint64_t turns = get_event_loop().statistics().turns;
    sleep(1h);
    EXPECT_LE(get_event_loop().statistics().turns, turns + 10);
  });
}

// ---- Descriptors --------------------------------------------------------------------------------

TEST_F(UnixStreamTest, ADescriptorArrivesWithItsBytes) {
  run([this] {
    auto [one, other] = UnixStream::pair();
    TcpPair tcp = make_tcp_pair();
    const std::array fds{tcp.client.fd()};
    one.send_fds(bytes("a connection"), fds);
    ReceivedFds got = other.receive_fds(buffer, 1);
    EXPECT_EQ("a connection", text(std::span{buffer}.first(got.size)));
    ASSERT_EQ(1u, got.fds.size());
    TcpStream there = TcpStream::adopt(got.fds[0].get());
    std::move(got.fds[0]).release();
    tcp.client.close();
    there.write_all("from the other process");
    EXPECT_EQ(22u, tcp.server.read_some(buffer));
  });
}

TEST_F(UnixStreamTest, OneReceiveNeverMixesTwoSends) {
  run([this] {
    auto [one, other] = UnixStream::pair();
    const std::array fds{0, 1};
    one.send_fds(bytes("first"), fds);
    one.send_fds(bytes("second"), std::span{fds}.first(1));
    one.write_all("third");
    EXPECT_EQ(2u, other.receive_fds(buffer, 2).fds.size());
    EXPECT_EQ(1u, other.receive_fds(buffer, 2).fds.size());
    EXPECT_EQ(0u, other.receive_fds(buffer, 2).fds.size());
    one.close();
    EXPECT_EQ(0u, other.receive_fds(buffer, 2).size);
  });
}

TEST_F(UnixStreamTest, N46_MoreDescriptorsThanAskedForAreAllClosed) {
  run([this] {
    auto [one, other] = UnixStream::pair();
    const std::vector<int> fds(3, 0);
    const std::ptrdiff_t before = open_descriptors();
    for (const std::size_t most : {0u, 1u, 2u}) {
      one.send_fds(bytes("x"), fds);
      const std::string said =
          message_of<LimitError>([&, &other = other] { other.receive_fds(buffer, most); });
      EXPECT_TRUE(contains(said, "3 descriptors came, more than the ")) << said;
      EXPECT_EQ(before, open_descriptors());
    }
    one.send_fds(bytes("x"), fds);
    for (const Fd& fd : other.receive_fds(buffer, 3).fds) {
      EXPECT_EQ(FD_CLOEXEC, ::fcntl(fd.get(), F_GETFD));
    }
    EXPECT_EQ(before, open_descriptors());
  });
}

TEST_F(UnixStreamTest, N46_SoAreThoseThatAProcessWithoutRoomGets) {
  run([this] {
    auto [one, other] = UnixStream::pair();
    const std::vector<int> fds(5, 0);
    one.send_fds(bytes("x"), fds);
    settle();
    other.wait_readable();
    const std::ptrdiff_t before = open_descriptors();
    {
      const FewDescriptors few{2};
      try {
        other.receive_fds(buffer, 5);
        ADD_FAILURE() << "must throw";
      } catch (const IoError& error) {
        EXPECT_EQ(std::errc::too_many_files_open, error.code());
      }
    }
    EXPECT_EQ(before, open_descriptors());
    one.write_all("still there");
    EXPECT_EQ(11u, other.read_some(buffer));
  });
}

TEST_F(UnixStreamTest, ALongTextFollowsItsDescriptors) {
  run([this] {
    auto [one, other] = UnixStream::pair();
    const std::string all = pattern(4 << 20);
    const std::array fds{0};
    std::size_t accepted = 0;
    auto writer = create_task([&, &one = one] { one.send_fds(bytes(all), fds, &accepted); });
    settle();
    EXPECT_FALSE(writer.is_done());
    ReceivedFds got = other.receive_fds(buffer, 1);
    EXPECT_EQ(1u, got.fds.size());
    std::string received{text(std::span{buffer}.first(got.size))};
    received += read_exactly(other, all.size() / 2);
    settle();
    writer.cancel();
    EXPECT_THROW(await(writer), TaskCancelledException);
    one.close();
    received += read_to_end(other);
    EXPECT_TRUE(received == all.substr(0, accepted)) << accepted;
  });
}

TEST_F(UnixStreamTest, WhatCannotBeSentIsRefusedByName) {
  run([this] {
    auto [one, other] = UnixStream::pair();
    const std::vector<int> fds(254, 0);
    const auto refuses = [&one = one](ConstBytes data, std::span<const int> some) {
      return contains(message_of<std::invalid_argument>([&] { one.send_fds(data, some); }),
                      "at least one byte, which the descriptors go with, and 1 to 253");
    };
    EXPECT_TRUE(refuses({}, std::span{fds}.first(1)));
    EXPECT_TRUE(refuses(bytes("x"), {}));
    EXPECT_TRUE(refuses(bytes("x"), fds));
    const std::array closed{1 << 20};
    EXPECT_THROW(one.send_fds(bytes("x"), closed), IoError);
    EXPECT_THROW(other.receive_fds({}, 1), std::invalid_argument);
    one.send_fds(bytes("x"), std::span{fds}.first(253));
    EXPECT_EQ(253u, other.receive_fds(buffer, 253).fds.size());
  });
}

TEST_F(UnixStreamTest, ACancelledReceiveLosesNothing) {
  run([this] {
    auto [one, other] = UnixStream::pair();
    auto reader = create_task([&, &other = other] { other.receive_fds(buffer, 1); });
    settle();
    reader.cancel();
    EXPECT_THROW(await(reader), TaskCancelledException);
    const std::array fds{0};
    one.send_fds(bytes("x"), fds);
    EXPECT_EQ(1u, other.receive_fds(buffer, 1).fds.size());
  });
}

}  // namespace
}  // namespace asyncio::test

// How a TLS connection ends, gently or not.
#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/socket.h>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/tls/tls_pair.h>
#include <asyncio/tls/all.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class TlsEndsTest : public LoopTest {
 protected:
  std::array<std::byte, 4096> buffer;
};

/// Both ends, closed side by side.
void close_both(TlsPair& pair) {
  auto other = create_task([&] { pair.server.close(); });
  pair.client.close();
  await(other);
}

TEST_F(TlsEndsTest, N6_AfterThePeersEndReadingGivesNothingAndWritingWorks) {
  run([&] {
    for (const TlsVersion version : both_versions) {
      TlsPair pair = make_tls_pair(version);
      pair.server.shutdown_write();
      EXPECT_EQ(0u, pair.client.read_some(buffer));
      EXPECT_EQ(0u, pair.client.read_some(buffer));
      pair.client.wait_readable();
      pair.client.write_all("still here");
      EXPECT_EQ("still here", read_exactly(pair.server, 10));
      try {
        pair.server.write_all("after the end");
        ADD_FAILURE() << "must throw";
      } catch (const IoError& error) {
        EXPECT_EQ(std::errc::broken_pipe, error.code());
      }
      pair.server.shutdown_write();  // once more does no harm
      close_both(pair);
    }
  });
}

TEST_F(TlsEndsTest, N50_AnEndThatWasNotAnnouncedIsAnError) {
  run([&] {
    std::optional<TlsPair> pair{make_tls_pair()};
    pair->server.write_all("all of it?");
    TlsStream client = std::move(pair->client);
    pair.reset();  // the destructor announces nothing
    EXPECT_EQ("all of it?", read_exactly(client, 10));
    const std::string said = message_of<TlsTruncatedError>([&] { client.read_some(buffer); });
    EXPECT_TRUE(contains(said, "TlsStream::read_some(example.org)")) << said;
    EXPECT_TRUE(contains(said, "not announced")) << said;
    EXPECT_THROW(client.read_some(buffer), TlsTruncatedError);
    client.wait_readable();  // a read tells at once
  });
}

TEST_F(TlsEndsTest, N50_UnlessThatIsAllowed) {
  run([&] {
    TlsClientOptions with = client_options();
    with.allow_truncation = true;
    std::optional<TlsPair> pair{make_tls_pair(with)};
    pair->server.write_all("all of it?");
    TlsStream client = std::move(pair->client);
    pair.reset();
    EXPECT_EQ("all of it?", read_to_end(client));
    EXPECT_EQ(0u, client.read_some(buffer));
  });
}

TEST_F(TlsEndsTest, N50_WritingGoesOnAfterIt) {
  run([&] {
    TlsPair pair = make_tls_pair();
    // The end of the TCP stream alone.
    ASSERT_EQ(0, ::shutdown(pair.server.fd(), SHUT_WR));
    EXPECT_THROW(pair.client.read_some(buffer), TlsTruncatedError);
    pair.client.write_all("nonetheless");
    EXPECT_EQ("nonetheless", read_exactly(pair.server, 11));
  });
}

TEST_F(TlsEndsTest, N50_ACancelIsNoTruncation) {
  run([&] {
    TlsPair pair = make_tls_pair();
    auto reader = create_task([&] { pair.client.read_some(buffer); });
    settle();
    reader.cancel();
    ASSERT_EQ(0, ::shutdown(pair.server.fd(), SHUT_WR));
    EXPECT_THROW(await(reader), TaskCancelledException);
  });
}

TEST_F(TlsEndsTest, N8_AfterAWriteThatFailedTheAnswerIsRead) {
  run([&] {
    TlsPair pair = make_tls_pair();
    pair.client.write_all("a request that nobody reads");
    pair.server.write_all("no");
    TlsStream{std::move(pair.server)};  // resets, since there is input unread
    int failures = 0;
    for (int i = 0; i < 2; ++i) {
      try {
        pair.client.write_all("more of it");
      } catch (const IoError& error) {
        ++failures;
      }
    }
    EXPECT_GE(failures, 1);
    EXPECT_EQ("no", read_exactly(pair.client, 2));
    EXPECT_THROW(pair.client.read_some(buffer), IoError);
  });
}

TEST_F(TlsEndsTest, N54_ClosedWithInputUnreadThePeerGetsEverything) {
  run([&] {
    for (const TlsVersion version : both_versions) {
      TlsPair pair = make_tls_pair(version);
      pair.server.write_all("tickets, and more that nobody reads");
      const std::string all = pattern(1 << 20);
      auto client = create_task([&] {
        pair.client.write_all(all);
        pair.client.close();
      });
      settle();  // the client does what it can before anybody reads
      EXPECT_TRUE(read_to_end(pair.server) == all);
      EXPECT_EQ(0u, pair.server.read_some(buffer)) << "the end was announced";
      pair.server.close();
      await(client);
      EXPECT_LT(elapsed(), Duration{1s}) << "it need not wait for long";
    }
  });
}

TEST_F(TlsEndsTest, N54_OneThatNeverReadsGetsNoTickets) {
  run([&] {
    // It closes as a program would that does not know better.
    TlsPair pair = make_tls_pair(TlsVersion::v1_3);
    pair.client.write_all("all");
    TlsStream{std::move(pair.client)};
    EXPECT_EQ("all", read_exactly(pair.server, 3));
    EXPECT_THROW(pair.server.read_some(buffer), TlsTruncatedError) << "and not a reset";
  });
}

TEST_F(TlsEndsTest, N56_APeerThatDoesNotReadHoldsUpACloseForASecondAtMost) {
  run([&] {
    TlsPair pair = make_tls_pair();
    const std::string all = pattern(8 << 20);
    auto writer = create_task([&] { pair.client.write_all(all); });
    settle();
    writer.cancel();
    EXPECT_THROW(await(writer), TaskCancelledException);
    const Duration before = elapsed();
    pair.client.close();
    EXPECT_LE(elapsed() - before, Duration{1s});
    EXPECT_TRUE(pair.client.is_closed());
    EXPECT_EQ(-1, pair.client.fd());
  });
}

TEST_F(TlsEndsTest, N56_SoDoesOneThatDoesNotClose) {
  run([&] {
    TlsPair pair = make_tls_pair();
    const Duration before = elapsed();
    pair.client.close();
    EXPECT_EQ(Duration{1s}, elapsed() - before);
    EXPECT_EQ(0u, pair.server.read_some(buffer));
  });
}

TEST_F(TlsEndsTest, ACloseSendsWhatACancelledWriteHasLeft) {
  run([&] {
    TlsPair pair = make_tls_pair();
    const std::string all = pattern(8 << 20);
    std::size_t accepted = 0;
    auto writer = create_task([&] { pair.client.write_all(all, &accepted); });
    settle();
    writer.cancel();
    EXPECT_THROW(await(writer), TaskCancelledException);
    auto reader = create_task([&] {
      std::string got = read_to_end(pair.server);
      pair.server.close();
      return got;
    });
    pair.client.close();
    EXPECT_TRUE(await(reader) == all.substr(0, accepted));
  });
}

TEST_F(TlsEndsTest, ACloseIsNotCancelled) {
  run([&] {
    TlsPair pair = make_tls_pair();
    pair.client.write_all("everything");
    auto closing = create_task([&] {
      current_task().cancel();
      pair.client.close();
    });
    EXPECT_EQ("everything", read_to_end(pair.server));
    pair.server.close();
    await(closing);
  });
}

TEST_F(TlsEndsTest, N5_ClosedUnderAReaderAndAWriterBothAreTold) {
  run([&] {
    TlsPair pair = make_tls_pair();
    auto reader = create_task([&] { read_exactly(pair.client, 1); });
    const std::string all = pattern(8 << 20);
    std::size_t accepted = 0;
    auto writer = create_task([&] { pair.client.write_all(all, &accepted); });
    settle();
    ASSERT_FALSE(writer.is_done());
    auto peer = create_task([&] {
      std::string got = read_to_end(pair.server);
      pair.server.close();
      return got;
    });
    pair.client.close();
    pair.client.close();
    EXPECT_TRUE(pair.client.is_closed());
    EXPECT_THROW(await(reader), ClosedError);
    EXPECT_THROW(await(writer), ClosedError);
    EXPECT_TRUE(await(peer) == all.substr(0, accepted)) << "and the end is announced";
    EXPECT_THROW(pair.client.write_all("x"), ClosedError);
    EXPECT_THROW(read_exactly(pair.client, 1), ClosedError);
    EXPECT_THROW(pair.client.alpn(), ClosedError);
    EXPECT_THROW(pair.client.peer(), ClosedError);
    EXPECT_THROW(pair.client.native(), ClosedError);
  });
}

TEST_F(TlsEndsTest, DestroyedUnderAReaderAndAWriterItTellsThem) {
  run([&] {
    std::optional<TlsPair> pair{make_tls_pair()};
    const std::string all = pattern(8 << 20);
    auto reader = create_task([&] { pair->client.read_some(buffer); });
    auto writer = create_task([&] { pair->client.write_all(all); });
    settle();
    pair.reset();
    EXPECT_THROW(await(reader), ClosedError);
    EXPECT_THROW(await(writer), ClosedError);
  });
}

TEST_F(TlsEndsTest, DestroyedDuringACloseItEndsAtOnce) {
  run([&] {
    std::optional<TlsPair> pair{make_tls_pair()};
    TlsStream server = std::move(pair->server);
    const Duration before = elapsed();
    auto closing = create_task([&] { pair->client.close(); });
    settle();
    ASSERT_FALSE(closing.is_done());
    pair.reset();
    await(closing);
    EXPECT_EQ(before, elapsed());
  });
}

TEST_F(TlsEndsTest, MovedWhileTasksUseItTheyFollow) {
  run([&] {
    TlsPair pair = make_tls_pair();
    const std::string all = pattern(8 << 20);
    auto reader = create_task([&] { return read_exactly(pair.client, 1); });
    auto writer = create_task([&] { pair.client.write_all(all); });
    settle();
    TlsStream moved{std::move(pair.client)};
    EXPECT_TRUE(pair.client.is_closed());
    EXPECT_THROW(pair.client.read_some(buffer), ClosedError);
    EXPECT_THROW(moved.read_some(buffer), BusyError) << "he reads here now";
    pair.server.write_all("x");
    EXPECT_EQ("x", await(reader));
    auto received = create_task([&] { return read_exactly(pair.server, all.size()); });
    await(writer);
    EXPECT_TRUE(await(received) == all);
  });
}

TEST_F(TlsEndsTest, OutsideATaskItClosesAtOnce) {
  run([&] {
    std::optional<TlsPair> pair{make_tls_pair()};
    call_soon([&] { pair->client.close(); });
    EXPECT_THROW(pair->server.read_some(buffer), TlsTruncatedError);
    EXPECT_TRUE(pair->client.is_closed());
    EXPECT_EQ(Duration{}, elapsed());
  });
}

TEST_F(TlsEndsTest, AResetIsAnError) {
  run([&] {
    TlsPair pair = make_tls_pair();
    TcpStream peer = TcpStream::adopt(::fcntl(pair.server.fd(), F_DUPFD_CLOEXEC, 0));
    TlsStream{std::move(pair.server)};
    peer.reset();
    for (int i = 0; i < 2; ++i) {
      try {
        pair.client.read_some(buffer);
        ADD_FAILURE() << "must throw";
      } catch (const IoError& error) {
        EXPECT_EQ(std::errc::connection_reset, error.code());
      }
    }
    pair.client.close();
  });
}

}  // namespace
}  // namespace asyncio::test

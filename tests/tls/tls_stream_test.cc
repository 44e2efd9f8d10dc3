// TlsStream: reading and writing.
#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/system_calls.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/scale.h>
#include <asyncio/tests/tls/tls_pair.h>
#include <asyncio/tls/all.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class TlsStreamTest : public LoopTest {
 protected:
  std::array<std::byte, 4096> buffer;
};

TEST_F(TlsStreamTest, WhatIsWrittenIsRead) {
  run([] {
    for (const TlsVersion version : both_versions) {
      TlsPair pair = make_tls_pair(version);
      pair.client.write_all("hello");
      EXPECT_EQ("hello", read_exactly(pair.server, 5));
      pair.server.write_all("good day");
      EXPECT_EQ("good day", read_exactly(pair.client, 8));
    }
  });
}

TEST_F(TlsStreamTest, LongTextsAndManySmallBuffersArriveInOrder) {
  run([] {
    TlsPair pair = make_tls_pair();
    const std::string all = pattern(1 << 20);
    std::vector<ConstBytes> pieces;
    std::size_t size = 0;
    for (std::size_t at = 0; at < all.size(); at += size, size = (size * 7 + 1) % 40'000) {
      pieces.push_back(bytes(std::string_view{all}.substr(at, size)));
    }
    std::size_t accepted = 0;
    auto writer = create_task([&] {
      pair.client.write_all(pieces, &accepted);
      pair.client.shutdown_write();
    });
    EXPECT_TRUE(read_to_end(pair.server) == all);
    await(writer);
    EXPECT_EQ(all.size(), accepted);
  });
}

TEST_F(TlsStreamTest, SmallBuffersShareARecord) {
  run([&] {
    TlsPair pair = make_tls_pair();
    const std::array<ConstBytes, 4> pieces{bytes("one,"), {}, bytes("two,"), bytes("three")};
    pair.client.write_all(pieces);
    EXPECT_EQ(13u, pair.server.read_some(buffer)) << "a read returns what is in one record";
  });
}

TEST_F(TlsStreamTest, N3_OneTaskReadsBesideOneThatWrites) {
  run([&] {
    TlsPair pair = make_tls_pair();
    auto reader = create_task([&] { return read_exactly(pair.client, 3); });
    settle();
    const std::string said = message_of<BusyError>([&] { pair.client.read_some(buffer); });
    EXPECT_TRUE(contains(said, "TlsStream::read_some")) << said;
    EXPECT_TRUE(contains(said, "one task at a time may read")) << said;
    EXPECT_THROW(pair.client.wait_readable(), BusyError);
    pair.client.write_all("out");
    EXPECT_EQ("out", read_exactly(pair.server, 3));
    pair.server.write_all("in!");
    EXPECT_EQ("in!", await(reader));
  });
}

TEST_F(TlsStreamTest, N4_TwoWritersAreNeverMixed) {
  run([] {
    TlsPair pair = make_tls_pair();
    const std::string all = pattern(8 << 20);
    auto writer = create_task([&] { pair.client.write_all(all); });
    settle();
    ASSERT_FALSE(writer.is_done());
    EXPECT_THROW(pair.client.write_all("in between"), BusyError);
    EXPECT_THROW(pair.client.shutdown_write(), BusyError);
    auto reader = create_task([&] { return read_to_end(pair.server); });
    await(writer);
    pair.client.shutdown_write();
    EXPECT_TRUE(await(reader) == all);
  });
}

TEST_F(TlsStreamTest, N15_NothingToReadIntoOrToWriteIsACheckpointAndNoMore) {
  run([] {
    TlsPair pair = make_tls_pair();
    const std::size_t before = times(Call::recv) + times(Call::send);
    std::size_t accepted = 7;
    EXPECT_EQ(0u, pair.client.read_some({}));
    pair.client.write_all("", &accepted);
    EXPECT_EQ(0u, accepted);
    pair.client.write_all(std::span<const ConstBytes>{});
    await(create_task([&] {
      current_task().cancel();
      EXPECT_THROW(pair.client.read_some({}), Cancelled);
      EXPECT_THROW(pair.client.write_all("lost", &accepted), Cancelled);
      EXPECT_THROW(pair.client.wait_readable(), Cancelled);
      EXPECT_THROW(pair.client.shutdown_write(), Cancelled);
    }));
    EXPECT_EQ(0u, accepted);
    EXPECT_EQ(before, times(Call::recv) + times(Call::send));
    pair.client.write_all("kept");
    EXPECT_EQ("kept", read_exactly(pair.server, 4));
  });
}

TEST_F(TlsStreamTest, N51_ACancelledReadLosesNothing) {
  run([] {
    TlsPair pair = make_tls_pair();
    auto reader = create_task([&] { read_exactly(pair.client, 1); });
    settle();
    reader.cancel();
    EXPECT_THROW(await(reader), TaskCancelledException);
    pair.server.write_all("after it");
    EXPECT_EQ("after it", read_exactly(pair.client, 8));
    pair.client.write_all("and back");
    EXPECT_EQ("and back", read_exactly(pair.server, 8));
  });
}

TEST_F(TlsStreamTest, N52_AfterACancelledWriteThePeerDecryptsAllThatWasAccepted) {
  run([] {
    for (const TlsVersion version : both_versions) {
      TlsPair pair = make_tls_pair(version);
      const std::string all = pattern(8 << 20);
      std::size_t accepted = 0;
      auto writer = create_task([&] { pair.client.write_all(all, &accepted); });
      settle();
      ASSERT_FALSE(writer.is_done());
      writer.cancel();
      EXPECT_THROW(await(writer), TaskCancelledException);
      EXPECT_GT(accepted, 0u);
      EXPECT_LT(accepted, all.size());
      auto reader = create_task([&] { return read_to_end(pair.server); });
      pair.client.write_all(" and on");
      pair.client.shutdown_write();
      EXPECT_TRUE(await(reader) == all.substr(0, accepted) + " and on");
      pair.server.write_all("fine");
      EXPECT_EQ("fine", read_exactly(pair.client, 4));
    }
  });
}

TEST_F(TlsStreamTest, N2_ResumedWhereItWasCutOffNothingIsMissingOrRepeated) {
  run([] {
    TlsPair pair = make_tls_pair();
    const std::string all = pattern(4 << 20);
    std::size_t done = 0;
    std::string received;
    std::array<std::byte, 100'000> some;
    while (done < all.size()) {
      std::size_t accepted = 0;
      auto writer = create_task(
          [&] { pair.client.write_all(std::string_view{all}.substr(done), &accepted); });
      settle();
      writer.cancel();
      try {
        await(writer);
      } catch (const TaskCancelledException&) {
      }
      done += accepted;
      // The last of what is accepted may have to wait for the next write.
      for (int i = 0; i < 20 && received.size() + 200'000 < done; ++i) {
        received += text(std::span{some}.first(pair.server.read_some(some)));
      }
    }
    auto reader = create_task([&] { return received + read_to_end(pair.server); });
    pair.client.shutdown_write();
    EXPECT_TRUE(await(reader) == all);
  });
}

TEST_F(TlsStreamTest, N53_MuchBothWaysAtOnceLosesNothing) {
  run([] {
    for (const TlsVersion version : both_versions) {
      TlsPair pair = make_tls_pair(version);
      const std::string all = pattern(scaled(16 << 20));
      const auto write = [&](TlsStream& to) {
        return create_task([&] {
          to.write_all(all);
          to.shutdown_write();
        });
      };
      const auto read = [&](TlsStream& from) {
        return create_task([&] { return read_to_end(from) == all; });
      };
      auto to_server = write(pair.client);
      auto to_client = write(pair.server);
      auto at_server = read(pair.server);
      auto at_client = read(pair.client);
      gather(to_server, to_client, at_server, at_client);
      EXPECT_TRUE(at_server.result());
      EXPECT_TRUE(at_client.result());
    }
  });
}

TEST_F(TlsStreamTest, AReaderNeverWaitsForWritability) {
  run([] {
    TlsPair pair = make_tls_pair();
    const std::string all = pattern(8 << 20);
    auto writer = create_task([&] { pair.client.write_all(all); });
    settle();
    ASSERT_FALSE(writer.is_done()) << "nobody reads what it writes";
    pair.server.write_all("read me");
    EXPECT_EQ("read me", read_exactly(pair.client, 7));
    EXPECT_FALSE(writer.is_done());
    writer.cancel();
  });
}

TEST_F(TlsStreamTest, NewKeysInTheMiddleAreAgreedOn) {
  run([] {
    TlsPair pair = make_tls_pair(TlsVersion::v1_3);
    auto reader = create_task([&] { return read_exactly(pair.server, 14); });
    pair.client.write_all("before,");
    ASSERT_EQ(1, SSL_key_update(pair.client.native(), SSL_KEY_UPDATE_REQUESTED));
    pair.client.write_all("after..");
    EXPECT_EQ("before,after..", await(reader));
    pair.server.write_all("with new keys");
    EXPECT_EQ("with new keys", read_exactly(pair.client, 13));
  });
}

TEST_F(TlsStreamTest, N57_WhatOtherCodeLeftInTheListOfErrorsDoesNoHarm) {
  run([&] {
    TlsPair pair = make_tls_pair();
    const auto soil = [] { ERR_raise(ERR_LIB_SSL, SSL_R_BAD_LENGTH); };
    soil();
    auto reader = create_task([&] { return read_exactly(pair.client, 5); });
    settle();
    soil();
    pair.server.write_all("hello");
    soil();
    EXPECT_EQ("hello", await(reader));
    soil();
    pair.client.write_all("x");
    soil();
    pair.server.wait_readable();
    soil();
    EXPECT_EQ(1u, pair.server.read_some(buffer));
    soil();
    pair.client.shutdown_write();
    EXPECT_EQ(0u, pair.server.read_some(buffer));
    soil();
    TlsPair next = make_tls_pair();
    next.server.write_all("hello");
    EXPECT_EQ("hello", read_exactly(next.client, 5));
    EXPECT_EQ(0u, ERR_peek_error());
  });
}

TEST_F(TlsStreamTest, N58_ManySmallRecordsAreReceivedAtOnce) {
  run([&] {
    TlsPair pair = make_tls_pair();
    pair.server.write_all("!");  // brings the tickets, too
    EXPECT_EQ("!", read_exactly(pair.client, 1));
    for (int i = 0; i < 10; ++i) pair.server.write_all("one record");
    const std::size_t before = times(Call::recv);
    EXPECT_EQ(10u, pair.client.read_some(buffer));
    {
      const ExpectNoSuspend at_once;
      pair.client.wait_readable();
      for (int i = 0; i < 9; ++i) EXPECT_EQ(10u, pair.client.read_some(buffer));
    }
    EXPECT_LE(times(Call::recv) - before, 2u);
  });
}

TEST_F(TlsStreamTest, N12_APeerThatIsAlwaysReadyStarvesNobody) {
  run([&] {
    TlsPair pair = make_tls_pair();
    const std::string all(1 << 20, 'x');
    auto writer = create_task([&] {
      for (;;) pair.client.write_all(all);
    });
    int turns = 0;
    auto other = create_task([&] {
      for (;; ++turns) yield();
    });
    for (std::size_t got = 0; got < (1 << 20);) {
      got += pair.server.read_some(std::span{buffer}.first(100));
    }
    EXPECT_GT(turns, 50);
    other.cancel();
    writer.cancel();
  });
}

TEST_F(TlsStreamTest, WaitReadableReadsNothing) {
  run([&] {
    TlsPair pair = make_tls_pair();
    auto waiting = create_task([&] { pair.client.wait_readable(); });
    settle();
    EXPECT_FALSE(waiting.is_done());
    pair.server.write_all("x");
    await(waiting);
    {
      const ExpectNoSuspend at_once;
      EXPECT_EQ(1u, pair.client.read_some(buffer));
    }
    auto again = create_task([&] { pair.client.wait_readable(); });
    settle();
    EXPECT_FALSE(again.is_done());
    pair.server.shutdown_write();
    await(again);
    EXPECT_EQ(0u, pair.client.read_some(buffer));
  });
}

TEST_F(TlsStreamTest, LinesAreReadThroughIt) {
  run([] {
    TlsPair pair = make_tls_pair();
    BufferedReader reader{pair.client};
    pair.server.write_all("first\nsecond\n");
    EXPECT_EQ("first", *reader.read_line());
    EXPECT_EQ("second", *reader.read_line());
    auto waiting = create_task([&] { return std::string{*reader.read_line()}; });
    settle();
    pair.server.write_all("third\n");
    EXPECT_EQ("third", await(waiting));
    pair.server.shutdown_write();
    EXPECT_FALSE(reader.read_line());
  });
}

TEST_F(TlsStreamTest, N13_TheIdleTimeoutIsForSilenceAndLeavesItUsable) {
  run([&] {
    TlsPair pair = make_tls_pair();
    pair.client.set_idle_timeout(50ms);
    EXPECT_THROW(pair.client.read_some(buffer), TimeoutException);
    pair.server.write_all("late");
    EXPECT_EQ("late", read_exactly(pair.client, 4));
  });
}

/// What a number of echoes cost, at both ends together.
struct TlsEchoCost {
  std::size_t received, sent, watched;
};

TEST_F(TlsStreamTest, N14_AnEchoIsTwoSystemCalls) {
  run([] {
    for (const TlsVersion version : both_versions) {
      TlsPair pair = make_tls_pair(version);
      const std::string request(1024, 'x');
      auto echo = create_task([&] {
        std::array<std::byte, 2048> some;
        while (const std::size_t got = pair.server.read_some(some)) {
          pair.server.write_all(std::span{some}.first(got));
        }
      });
      const auto exchange = [&] {
        pair.client.write_all(request);
        ASSERT_EQ(request, read_exactly(pair.client, request.size()));
      };
      for (int i = 0; i < 10; ++i) exchange();
      const TlsEchoCost before{times(Call::recv), times(Call::send), times(Call::epoll_ctl)};
      constexpr std::size_t echoes = 1000;
      for (std::size_t i = 0; i < echoes; ++i) exchange();
      EXPECT_EQ(2 * echoes, times(Call::recv) - before.received) << "one at each end";
      EXPECT_EQ(2 * echoes, times(Call::send) - before.sent);
      EXPECT_EQ(0u, times(Call::epoll_ctl) - before.watched);
      echo.cancel();
    }
  });
}

TEST_F(TlsStreamTest, FourRecordsAreSentAtOnce) {
  run([] {
    TlsPair pair = make_tls_pair();
    const std::string all = pattern(64 << 10);
    const std::size_t before = times(Call::send);
    auto reader = create_task([&] { return read_exactly(pair.server, all.size()); });
    pair.client.write_all(all);
    EXPECT_EQ(1u, times(Call::send) - before);
    EXPECT_TRUE(await(reader) == all);
  });
}

TEST_F(TlsStreamTest, ACallThatASignalInterruptsIsMadeAgain) {
  run([&] {
    TlsPair pair = make_tls_pair();
    fail_next(Call::send, EINTR);
    pair.client.write_all("x");
    fail_next(Call::recv, EINTR);
    EXPECT_EQ(1u, pair.server.read_some(buffer));
    pair.client.write_all("y");
    fail_next(Call::recv, EAGAIN);
    EXPECT_EQ(1u, pair.server.read_some(buffer));
  });
}

TEST_F(TlsStreamTest, AByteThatWasChangedOnItsWayIsAnError) {
  run([&] {
    TlsPair pair = make_tls_pair();
    // A record whose seal is wrong.
    const std::string forged = std::string{"\x17\x03\x03\x00\x20", 5} + std::string(32, 'x');
    ASSERT_EQ(ssize_t{37}, ::send(pair.server.fd(), forged.data(), forged.size(), 0));
    const std::string said = message_of<TlsError>([&] { pair.client.read_some(buffer); });
    EXPECT_TRUE(contains(said, "TlsStream::read_some(example.org)")) << said;
    EXPECT_TRUE(contains(said, "bad record mac")) << said;
    EXPECT_EQ(said, message_of<TlsError>([&] { pair.client.read_some(buffer); }));
    EXPECT_THROW(pair.client.write_all("x"), TlsError);
    EXPECT_TRUE(
        contains(message_of<TlsError>([&] { pair.server.read_some(buffer); }), "bad record mac"))
        << "the peer is told";
    pair.client.close();
  });
}

}  // namespace
}  // namespace asyncio::test

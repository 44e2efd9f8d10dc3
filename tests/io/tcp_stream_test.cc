// TcpStream, and through it what every stream over a socket does.
#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
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
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/scale.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class TcpStreamTest : public LoopTest {
 protected:
  std::array<std::byte, 4096> buffer;
};

std::error_code code_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const IoError& error) {
    return error.code();
  }
  return {};
}

// ---- Reading and writing ------------------------------------------------------------------------

TEST_F(TcpStreamTest, WhatIsWrittenIsRead) {
  run([&] {
    TcpPair pair = make_tcp_pair();
    pair.client.write_all("hello");
    EXPECT_EQ(5u, pair.server.read_some(buffer));
    EXPECT_EQ("hello", text(std::span{buffer}.first(5)));
    EXPECT_EQ(pair.client.local(), pair.server.peer());
    EXPECT_EQ(pair.client.peer(), pair.server.local());
  });
}

TEST_F(TcpStreamTest, N1_ACancelledWriteTellsWhatThePeerGets) {
  run([] {
    TcpPair pair = make_tcp_pair();
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
    EXPECT_EQ(all.substr(0, accepted) + " and on", await(reader));
  });
}

TEST_F(TcpStreamTest, N2_ResumedWhereItWasCutOffNothingIsMissingOrRepeated) {
  run([] {
    TcpPair pair = make_tcp_pair();
    const std::string all = pattern(8 << 20);
    std::size_t done = 0;
    std::string received;
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
      received += read_exactly(pair.server, accepted);
    }
    EXPECT_TRUE(received == all);
  });
}

TEST_F(TcpStreamTest, N3_OneTaskReadsBesideOneThatWrites) {
  run([&] {
    TcpPair pair = make_tcp_pair();
    auto reader = create_task([&] { return read_exactly(pair.client, 3); });
    settle();
    const std::string said = message_of<BusyError>([&] { pair.client.read_some(buffer); });
    EXPECT_TRUE(contains(said, "TcpStream::read_some")) << said;
    EXPECT_TRUE(contains(said, "one task at a time may read")) << said;
    EXPECT_THROW(pair.client.wait_readable(), BusyError);
    pair.client.write_all("out");
    EXPECT_EQ("out", read_exactly(pair.server, 3));
    pair.server.write_all("in!");
    EXPECT_EQ("in!", await(reader));
  });
}

TEST_F(TcpStreamTest, N4_TwoWritersAreNeverMixed) {
  run([] {
    TcpPair pair = make_tcp_pair();
    const std::string all = pattern(8 << 20);
    auto writer = create_task([&] { pair.client.write_all(all); });
    settle();
    ASSERT_FALSE(writer.is_done());
    // There is room again, but the first one has not come to know.
    auto reader = create_task([&] { return read_to_end(pair.server); });
    for (int i = 0; i < 100 && !writer.is_done(); ++i) {
      EXPECT_THROW(pair.client.write_all("in between"), BusyError);
      EXPECT_THROW(pair.client.shutdown_write(), BusyError);
      yield();
    }
    await(writer);
    pair.client.shutdown_write();
    EXPECT_TRUE(await(reader) == all);
  });
}

TEST_F(TcpStreamTest, N11_ThousandsOfBuffersGoInOrderAndFewAtATime) {
  run([] {
    TcpPair pair = make_tcp_pair();
    constexpr std::size_t size = 4099;
    const std::string all = pattern(2000 * size);
    std::vector<ConstBytes> buffers;
    for (std::size_t at = 0; at < all.size(); at += size) {
      buffers.push_back(bytes(std::string_view{all}.substr(at, size)));
      buffers.push_back({});
    }
    most_pieces();
    std::size_t accepted = 0;
    auto writer = create_task([&] {
      pair.client.write_all(buffers, &accepted);
      pair.client.shutdown_write();
    });
    settle();
    EXPECT_FALSE(writer.is_done()) << "it is to be cut off in the middle of buffers";
    EXPECT_TRUE(read_to_end(pair.server) == all);
    await(writer);
    EXPECT_EQ(all.size(), accepted);
    const std::size_t most = most_pieces();
    EXPECT_GT(most, 1u);
    EXPECT_LE(most, 1024u);
  });
}

TEST_F(TcpStreamTest, ACallThatASignalInterruptsIsMadeAgain) {
  run([&] {
    TcpPair pair = make_tcp_pair();
    fail_next(Call::send, EINTR);
    pair.client.write_all("x");
    fail_next(Call::recv, EINTR);
    EXPECT_EQ(1u, pair.server.read_some(buffer));
  });
}

TEST_F(TcpStreamTest, WhatSeemedReadyAndIsNotIsWaitedForOnceMore) {
  run([&] {
    TcpPair pair = make_tcp_pair();
    pair.client.write_all("x");
    fail_next(Call::recv, EAGAIN);
    EXPECT_EQ(1u, pair.server.read_some(buffer));
  });
}

TEST_F(TcpStreamTest, N15_NothingToReadIntoOrToWriteIsNoSystemCallAndStillACheckpoint) {
  run([] {
    TcpPair pair = make_tcp_pair();
    const std::size_t received = times(Call::recv);
    const std::size_t sent = times(Call::send) + times(Call::sendmsg);
    const std::array<ConstBytes, 2> empty{};
    std::size_t accepted = 7;
    EXPECT_EQ(0u, pair.client.read_some({}));
    pair.client.write_all("", &accepted);
    EXPECT_EQ(0u, accepted);
    pair.client.write_all(empty);
    pair.client.write_all(std::span<const ConstBytes>{});
    auto cancelled = create_task([&] {
      current_task().cancel();
      EXPECT_THROW(pair.client.read_some({}), Cancelled);
      EXPECT_THROW(pair.client.write_all(""), Cancelled);
    });
    await(cancelled);
    EXPECT_EQ(received, times(Call::recv));
    EXPECT_EQ(sent, times(Call::send) + times(Call::sendmsg));
  });
}

TEST_F(TcpStreamTest, ACancelComesBeforeAnyEffect) {
  run([&] {
    TcpPair pair = make_tcp_pair();
    pair.client.write_all("kept");
    await(create_task([&] {
      current_task().cancel();
      std::size_t accepted = 7;
      EXPECT_THROW(pair.server.read_some(buffer), Cancelled);
      EXPECT_THROW(pair.server.write_all("lost", &accepted), Cancelled);
      EXPECT_EQ(0u, accepted);
      EXPECT_THROW(pair.server.shutdown_write(), Cancelled);
    }));
    EXPECT_EQ("kept", read_exactly(pair.server, 4));
    pair.server.write_all("told");
    EXPECT_EQ("told", read_exactly(pair.client, 4));
  });
}

TEST_F(TcpStreamTest, N12_APeerThatIsAlwaysReadyStarvesNobody) {
  run([&] {
    TcpPair pair = make_tcp_pair();
    pair.client.write_all(std::string(20'000, 'x'));
    int turns = 0;
    auto other = create_task([&] {
      for (;; ++turns) yield();
    });
    for (int i = 0; i < 10'000; ++i) {
      ASSERT_EQ(2u, pair.server.read_some(std::span{buffer}.first(2)));
    }
    EXPECT_GT(turns, 10'000 / 200);
    other.cancel();
  });
}

/// What a number of echoes cost, at both ends together.
struct EchoCost {
  std::size_t received, sent, watched, taken;
};

EchoCost cost_of_echoes(std::size_t echoes) {
  TcpPair pair = make_tcp_pair();
  auto echo = create_task([&] {
    std::array<std::byte, 512> bytes;
    while (const std::size_t got = pair.server.read_some(bytes)) {
      pair.server.write_all(std::span{bytes}.first(got));
    }
  });
  const auto exchange = [&] {
    std::array<std::byte, 512> bytes;
    pair.client.write_all("ping");
    ASSERT_EQ(4u, pair.client.read_some(bytes));
  };
  for (int i = 0; i < 100; ++i) exchange();
  const EchoCost before{times(Call::recv), times(Call::send), times(Call::epoll_ctl),
                        allocations()};
  for (std::size_t i = 0; i < echoes; ++i) exchange();
  const EchoCost cost{times(Call::recv) - before.received, times(Call::send) - before.sent,
                      times(Call::epoll_ctl) - before.watched, allocations() - before.taken};
  pair.client.close();
  await(echo);
  return cost;
}

TEST_F(TcpStreamTest, N14_AnEchoIsTwoSystemCalls) {
  run([] {
    const std::size_t echoes = scaled(10'000);
    const EchoCost cost = cost_of_echoes(echoes);
    EXPECT_EQ(2 * echoes, cost.received) << "one at each end";
    EXPECT_EQ(2 * echoes, cost.sent);
    EXPECT_EQ(0u, cost.watched);
  });
}

TEST_F(TcpStreamTest, N14_ManyEchoesTakeNoMemory) {
  keep_order();  // to shuffle takes memory
  run([] { EXPECT_EQ(0u, cost_of_echoes(scaled(100'000)).taken); });
}

TEST_F(TcpStreamTest, WaitReadableReadsNothingAndTheReadAfterItWaitsNoMore) {
  run([&] {
    TcpPair pair = make_tcp_pair();
    auto waiting = create_task([&] { pair.server.wait_readable(); });
    settle();
    EXPECT_FALSE(waiting.is_done());
    pair.client.write_all("x");
    await(waiting);
    const ExpectNoSuspend at_once;
    EXPECT_EQ(1u, pair.server.read_some(buffer));
  });
}

// ---- Idle timeout -------------------------------------------------------------------------------

TEST_F(TcpStreamTest, N13_TheIdleTimeoutIsForSilenceAlone) {
  run([&] {
    TcpPair pair = make_tcp_pair();
    pair.server.set_idle_timeout(50ms);
    auto slow = create_task([&] {
      for (int i = 0; i < 10; ++i) {
        sleep(20ms);
        pair.client.write_all("x");
      }
    });
    EXPECT_EQ(10u, read_exactly(pair.server, 10).size());
    await(slow);
    const Duration before = elapsed();
    const std::string said = message_of<TimeoutException>([&] { pair.server.read_some(buffer); });
    EXPECT_TRUE(contains(said, "50 ms")) << said;
    EXPECT_EQ(50ms, elapsed() - before);
    pair.client.write_all("y");
    EXPECT_EQ("y", read_exactly(pair.server, 1));
    pair.server.set_idle_timeout(std::nullopt);
    auto patient = create_task([&] { return read_exactly(pair.server, 1); });
    sleep(1h);
    pair.client.write_all("z");
    EXPECT_EQ("z", await(patient));
    EXPECT_THROW(pair.server.set_idle_timeout(0s), std::invalid_argument);
  });
}

TEST_F(TcpStreamTest, TheIdleTimeoutEndsAWriteThatNobodyReads) {
  run([] {
    TcpPair pair = make_tcp_pair();
    pair.client.set_idle_timeout(5s);
    const std::string all = pattern(8 << 20);
    std::size_t accepted = 0;
    EXPECT_THROW(pair.client.write_all(all, &accepted), TimeoutException);
    pair.client.set_idle_timeout(std::nullopt);
    auto reader = create_task([&] { return read_to_end(pair.server); });
    pair.client.write_all(std::string_view{all}.substr(accepted));
    pair.client.shutdown_write();
    EXPECT_TRUE(await(reader) == all);
  });
}

// ---- Ends ---------------------------------------------------------------------------------------

TEST_F(TcpStreamTest, N5_ClosedUnderAReaderAndAWriterBothAreToldAndTheNumberIsFree) {
  run([] {
    TcpPair pair = make_tcp_pair();
    const int fd = pair.client.fd();
    auto reader = create_task([&] { read_exactly(pair.client, 1); });
    const std::string all = pattern(8 << 20);
    auto writer = create_task([&] { pair.client.write_all(all); });
    settle();
    pair.client.close();
    pair.client.close();
    EXPECT_TRUE(pair.client.is_closed());
    EXPECT_THROW(await(reader), ClosedError);
    EXPECT_THROW(await(writer), ClosedError);
    EXPECT_THROW(pair.client.write_all("x"), ClosedError);
    EXPECT_THROW(read_exactly(pair.client, 1), ClosedError);
    EXPECT_THROW(pair.client.peer(), ClosedError);

    TcpPair next = make_tcp_pair();
    EXPECT_TRUE(next.client.fd() == fd || next.server.fd() == fd);
    next.client.write_all("x");
    EXPECT_EQ("x", read_exactly(next.server, 1));
  });
}

TEST_F(TcpStreamTest, DestroyedUnderAReaderItTellsHim) {
  run([&] {
    std::optional<TcpPair> pair{make_tcp_pair()};
    auto reader = create_task([&] { pair->client.read_some(buffer); });
    settle();
    pair.reset();
    EXPECT_THROW(await(reader), ClosedError);
  });
}

TEST_F(TcpStreamTest, MovedWhileTasksUseItTheyFollow) {
  run([&] {
    TcpPair pair = make_tcp_pair();
    const std::string all = pattern(8 << 20);
    auto reader = create_task([&] { return read_exactly(pair.client, 1); });
    auto writer = create_task([&] { pair.client.write_all(all); });
    settle();
    TcpStream moved{std::move(pair.client)};
    EXPECT_TRUE(pair.client.is_closed());
    EXPECT_THROW(moved.read_some(buffer), BusyError) << "he reads here now";
    pair.server.write_all("x");
    EXPECT_EQ("x", await(reader));
    auto received = create_task([&] { return read_to_end(pair.server); });
    await(writer);
    moved.close();
    EXPECT_TRUE(await(received) == all);
  });
}

TEST_F(TcpStreamTest, N6_AfterThePeersEndReadingGivesNothingAndWritingWorks) {
  run([&] {
    TcpPair pair = make_tcp_pair();
    pair.server.shutdown_write();
    EXPECT_EQ(0u, pair.client.read_some(buffer));
    EXPECT_EQ(0u, pair.client.read_some(buffer));
    pair.client.write_all("still here");
    EXPECT_EQ("still here", read_exactly(pair.server, 10));
    EXPECT_THROW(pair.server.write_all("after the end"), IoError);
  });
}

TEST_F(TcpStreamTest, N7_WritingToAPeerThatIsGoneIsAnErrorAndNoSignal) {
  run([] {
    struct sigaction before {};
    ASSERT_EQ(0, ::sigaction(SIGPIPE, nullptr, &before));
    ASSERT_EQ(SIG_DFL, before.sa_handler) << "or this shows nothing";
    TcpPair pair = make_tcp_pair();
    pair.server.reset();
    const std::array<ConstBytes, 2> two{bytes("x"), bytes("y")};
    code_of([&] { pair.client.write_all("x"); });
    EXPECT_EQ(std::errc::broken_pipe, code_of([&] { pair.client.write_all("x"); }));
    EXPECT_EQ(std::errc::broken_pipe, code_of([&] { pair.client.write_all(two); }));
  });
}

TEST_F(TcpStreamTest, N8_AWriteThatFailsDoesNotHideTheAnswer) {
  run([] {
    TcpPair pair = make_tcp_pair();
    pair.client.write_all("a request that nobody reads");
    pair.server.write_all("no");
    pair.server.close();  // resets, since there is input unread
    code_of([&] { pair.client.write_all("more of it"); });
    EXPECT_EQ(std::errc::broken_pipe, code_of([&] { pair.client.write_all("more of it"); }));
    EXPECT_EQ("no", read_exactly(pair.client, 2));
  });
}

TEST_F(TcpStreamTest, N9_FinishedWithInputUnreadThePeerGetsTheWholeAnswer) {
  run([&] {
    const std::string answer = pattern(1 << 20);
    TcpPair pair = make_tcp_pair();
    pair.client.write_all("unread");
    auto server = create_task([&] {
      pair.server.write_all(answer);
      pair.server.finish(5s);
    });
    EXPECT_TRUE(read_to_end(pair.client) == answer);
    EXPECT_FALSE(server.is_done()) << "it waits for the client's end";
    pair.client.write_all("and more");
    pair.client.close();
    await(server);
    EXPECT_TRUE(pair.server.is_closed());

    TcpPair other = make_tcp_pair();
    other.client.write_all("unread");
    other.server.write_all("answer");
    other.server.close();
    EXPECT_EQ(std::errc::connection_reset, code_of([&] { read_to_end(other.client); }));
  });
}

TEST_F(TcpStreamTest, N9_FinishEndsAtItsLimitAndWithACancelAndIsClosedThen) {
  run([&] {
    TcpPair silent = make_tcp_pair();
    const Duration before = elapsed();
    silent.server.finish(3s);
    EXPECT_EQ(3s, elapsed() - before);
    EXPECT_TRUE(silent.server.is_closed());

    TcpPair cancelled = make_tcp_pair();
    auto finishing = create_task([&] { cancelled.server.finish(3s); });
    settle();
    finishing.cancel();
    EXPECT_THROW(await(finishing), TaskCancelledException);
    EXPECT_TRUE(cancelled.server.is_closed());

    TcpPair talkative = make_tcp_pair();
    auto talking = create_task([&] {
      for (;;) {
        sleep(100ms);
        talkative.client.write_all("more and more");
      }
    });
    talkative.server.finish(1s);
    EXPECT_TRUE(talkative.server.is_closed());
    EXPECT_THROW(await(talking), IoError);

    TcpPair gone = make_tcp_pair();
    gone.client.reset();
    gone.server.finish(3s);
    EXPECT_TRUE(gone.server.is_closed());
    EXPECT_THROW(gone.server.finish(3s), ClosedError);
  });
}

TEST_F(TcpStreamTest, FinishWhileAnotherTaskReadsIsRefused) {
  run([&] {
    TcpPair pair = make_tcp_pair();
    auto reader = create_task([&] { return pair.server.read_some(buffer); });
    settle();
    EXPECT_THROW(pair.server.finish(1s), BusyError);
    EXPECT_FALSE(pair.server.is_closed());
    pair.client.write_all("x");
    EXPECT_EQ(1u, await(reader));
  });
}

TEST_F(TcpStreamTest, ResetThePeerGetsAnError) {
  run([&] {
    TcpPair pair = make_tcp_pair();
    pair.server.reset();
    pair.server.reset();
    EXPECT_EQ(std::errc::connection_reset, code_of([&] { pair.client.read_some(buffer); }));
  });
}

TEST_F(TcpStreamTest, N10_APeerThatIsGoneWhileWeOnlyWriteKeepsTheLoopQuiet) {
  run([] {
    int ends[2];
    ASSERT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends));
    detail::Socket socket{ends[0], "the test"};
    const std::string all(4 << 20, 'x');
    const ConstBytes all_bytes = bytes(all);
    auto writer = create_task([&] { socket.write_all({&all_bytes, 1}, nullptr, "the test"); });
    settle();
    ASSERT_FALSE(writer.is_done());
    ::close(ends[1]);
    EXPECT_THROW(await(writer), IoError);
    settle();
    const std::uint64_t turns = get_event_loop().statistics().turns;
    sleep(1h);
    EXPECT_LE(get_event_loop().statistics().turns, turns + 10);
  });
}

// ---- From and to elsewhere ----------------------------------------------------------------------

TEST_F(TcpStreamTest, ReleasedAndAdoptedItGoesOn) {
  run([&] {
    TcpPair pair = make_tcp_pair();
    auto reader = create_task([&] { pair.client.read_some(buffer); });
    settle();
    const int fd = std::move(pair.client).release();
    EXPECT_THROW(await(reader), ClosedError);
    EXPECT_EQ(-1, std::move(pair.client).release());
    ASSERT_EQ(0, ::fcntl(fd, F_SETFL, 0));
    ASSERT_EQ(0, ::fcntl(fd, F_SETFD, 0));
    TcpStream adopted = TcpStream::adopt(fd);
    EXPECT_NE(0, ::fcntl(fd, F_GETFL) & O_NONBLOCK);
    EXPECT_EQ(FD_CLOEXEC, ::fcntl(fd, F_GETFD));
    pair.server.write_all("x");
    EXPECT_EQ("x", read_exactly(adopted, 1));
  });
}

TEST_F(TcpStreamTest, InAnotherLoopItIsAdopted) {
  run([&] {
    TcpPair pair = make_tcp_pair();
    std::thread{[&] {
      EventLoop elsewhere{make_backend("auto")};
      elsewhere.run([&] {
        EXPECT_THROW(pair.client.write_all("x"), InvalidStateError);
        TcpStream here = TcpStream::adopt(::dup(pair.client.fd()));
        here.write_all("y");
      });
    }}.join();
    EXPECT_EQ("y", read_exactly(pair.server, 1));
  });
}

TEST_F(TcpStreamTest, WhatIsNoConnectionIsNotAdoptedAndStaysTheCallers) {
  run([] {
    SocketPair unix_sockets;
    TcpListener listener = TcpListener::bind(loopback());
    const int file = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    const int unconnected = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int udp = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    for (const int fd : {unix_sockets.a(), listener.fd(), file, udp}) {
      const std::string said = message_of<std::invalid_argument>([&] { TcpStream::adopt(fd); });
      EXPECT_TRUE(contains(said, "it is not a connected TCP socket")) << said;
      EXPECT_GE(::fcntl(fd, F_GETFD), 0);
    }
    EXPECT_EQ(std::errc::not_connected, code_of([&] { TcpStream::adopt(unconnected); }));
    EXPECT_EQ(std::errc::bad_file_descriptor, code_of([] { TcpStream::adopt(-1); }));
    for (const int fd : {file, unconnected, udp}) EXPECT_EQ(0, ::close(fd));
  });
}

TEST_F(TcpStreamTest, OptionsAreTheKernels) {
  run([] {
    TcpPair pair = make_tcp_pair();
    const auto option = [&](int level, int name) {
      int value = -1;
      socklen_t size = sizeof value;
      EXPECT_EQ(0, ::getsockopt(pair.client.fd(), level, name, &value, &size));
      return value;
    };
    EXPECT_NE(0, option(IPPROTO_TCP, TCP_NODELAY)) << "on from the beginning";
    EXPECT_EQ(60, option(IPPROTO_TCP, TCP_KEEPIDLE));
    pair.client.set_no_delay(false);
    EXPECT_EQ(0, option(IPPROTO_TCP, TCP_NODELAY));
    pair.client.set_keep_alive(KeepAlive{.idle = 1500ms, .interval = 3s, .probes = 4});
    EXPECT_EQ(2, option(IPPROTO_TCP, TCP_KEEPIDLE));
    EXPECT_EQ(3, option(IPPROTO_TCP, TCP_KEEPINTVL));
    EXPECT_EQ(4, option(IPPROTO_TCP, TCP_KEEPCNT));
    EXPECT_NE(0, option(SOL_SOCKET, SO_KEEPALIVE));
    pair.client.set_keep_alive(std::nullopt);
    EXPECT_EQ(0, option(SOL_SOCKET, SO_KEEPALIVE));
    EXPECT_THROW(pair.client.set_keep_alive(KeepAlive{.idle = 0s}), std::invalid_argument);
    EXPECT_THROW(pair.client.set_keep_alive(KeepAlive{.probes = 0}), std::invalid_argument);
  });
}

}  // namespace
}  // namespace asyncio::test

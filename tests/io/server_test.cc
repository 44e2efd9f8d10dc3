// Server and serve().
#include <array>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/system_calls.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/io/temporary_folder.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class ServerTest : public LoopTest {};

/// Answers each line with itself, until the client or a drain ends that.
void echo_lines(TcpStream& stream, Server& server) {
  BufferedReader reader{stream};
  for (;;) {
    const auto line = server.idle([&] { return reader.read_line(); });
    if (!line || !*line) return;
    stream.write_all(std::string{**line} + "\n");
  }
}

TEST_F(ServerTest, EachConnectionHasATask) {
  run([] {
    TcpListener listener = TcpListener::bind(loopback());
    const Endpoint at = listener.local();
    Server server{std::move(listener), &echo_lines};
    TcpStream one = TcpStream::connect(at);
    TcpStream other = TcpStream::connect(at);
    other.write_all("two\n");
    EXPECT_EQ("two\n", read_exactly(other, 4));
    one.write_all("one\n");
    EXPECT_EQ("one\n", read_exactly(one, 4));
    EXPECT_EQ(2u, server.connections());
    one.close();
    settle();
    EXPECT_EQ(1u, server.connections());
  });
}

TEST_F(ServerTest, N39_AHandlerThatThrowsIsReportedAndTheServerLives) {
  run([] {
    TcpListener listener = TcpListener::bind(loopback());
    const Endpoint at = listener.local();
    Server server{std::move(listener), [](TcpStream& stream) {
                    if (read_exactly(stream, 1) == "!") throw std::runtime_error("oh dear");
                    stream.write_all("fine");
                  }};
    TcpStream bad = TcpStream::connect(at);
    TcpStream good = TcpStream::connect(at);
    bad.write_all("!");
    EXPECT_EQ("", read_to_end(bad));
    good.write_all("?");
    EXPECT_EQ("fine", read_to_end(good));
  });
  ASSERT_EQ(1u, reports.size());
  EXPECT_TRUE(contains(reports[0], "a handler failed")) << reports[0];
  reports.clear();
}

TEST_F(ServerTest, N40_ADrainEndsTheIdleAtOnceLetsTheBusyFinishAndCancelsTheStuck) {
  run([this] {
    TcpListener listener = TcpListener::bind(loopback());
    const Endpoint at = listener.local();
    std::vector<std::string> ends;
    Server server{std::move(listener), [&](TcpStream& stream, Server& its) {
                    BufferedReader reader{stream};
                    std::string kind;
                    try {
                      while (auto line = its.idle([&] { return *reader.read_line(); })) {
                        kind = std::string{*line};
                        if (kind == "busy") sleep(2s);
                        if (kind == "stuck") sleep(1h);
                        stream.write_all("done\n");
                      }
                      ends.push_back(kind + " ended");
                    } catch (const Cancelled&) {
                      ends.push_back(kind + " cancelled");
                      throw;
                    }
                  }};
    std::vector<TcpStream> clients;
    for (const char* kind : {"idle\n", "busy\n", "stuck\n"}) {
      clients.push_back(TcpStream::connect(at));
      clients.back().write_all(kind);
    }
    EXPECT_EQ("done\n", read_exactly(clients[0], 5));
    auto drain = create_task([&] { return server.drain(10s); });
    EXPECT_EQ("", read_to_end(clients[0]));
    EXPECT_LT(elapsed(), Duration{1s}) << "the idle one had nothing to wait for";
    EXPECT_EQ("done\n", read_to_end(clients[1]));
    EXPECT_LT(elapsed(), Duration{3s});
    EXPECT_FALSE(await(drain));
    EXPECT_GE(elapsed(), Duration{10s});
    EXPECT_LT(elapsed(), Duration{11s});
    EXPECT_EQ((std::vector<std::string>{"idle ended", "busy ended", "stuck cancelled"}), ends);
    EXPECT_EQ(0u, server.connections());
    EXPECT_THROW(TcpStream::connect(at), ConnectError);
    EXPECT_TRUE(server.drain(1s)) << "there is nobody left";
  });
}

TEST_F(ServerTest, N40_ARequestThatHasArrivedIsAnsweredDuringADrain) {
  run([] {
    TcpListener listener = TcpListener::bind(loopback());
    const Endpoint at = listener.local();
    Server server{std::move(listener), &echo_lines};
    TcpStream client = TcpStream::connect(at);
    client.write_all("first\n");
    EXPECT_EQ("first\n", read_exactly(client, 6));
    settle();
    client.write_all("last\n");
    EXPECT_TRUE(server.drain(10s));
    EXPECT_EQ("last\n", read_to_end(client));
  });
}

TEST_F(ServerTest, N41_WhoIsConnectedWhenADrainBeginsIsServed) {
  keep_order();  // the drain comes before the server has looked at its door
  run([] {
    TcpListener listener = TcpListener::bind(loopback());
    const Endpoint at = listener.local();
    Server server{std::move(listener), &echo_lines};
    settle();
    // Blocking sockets: the kernel has connected them, and the server cannot have looked.
    std::vector<TcpStream> clients;
    for (int i = 0; i < 5; ++i) {
      const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      address.sin_port = htons(at.port());
      ASSERT_EQ(0, ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address));
      clients.push_back(TcpStream::adopt(fd));
    }
    auto drain = create_task([&] { return server.drain(10s); });
    settle();
    EXPECT_THROW(TcpStream::connect(at), ConnectError);
    for (TcpStream& client : clients) {
      client.write_all("late\n");
      EXPECT_EQ("late\n", read_to_end(client));
    }
    EXPECT_TRUE(await(drain));
  });
}

TEST_F(ServerTest, N41_OneThatSaysNothingDoesNotHoldUpTheDrain) {
  keep_order();  // the drain comes before the server has looked at its door
  run([this] {
    TcpListener listener = TcpListener::bind(loopback());
    const Endpoint at = listener.local();
    Server server{std::move(listener), &echo_lines};
    auto client = create_task([at] { return TcpStream::connect(at); });
    yield();  // it is connected, and not accepted
    EXPECT_TRUE(server.drain(10s));
    EXPECT_LT(elapsed(), Duration{1s});
    EXPECT_EQ("", read_to_end(*std::make_unique<TcpStream>(await(std::move(client)))));
  });
}

TEST_F(ServerTest, CloseLetsConnectionsGoOn) {
  run([] {
    TcpListener listener = TcpListener::bind(loopback());
    const Endpoint at = listener.local();
    Server server{std::move(listener), &echo_lines};
    TcpStream client = TcpStream::connect(at);
    settle();
    server.close();
    server.close();
    EXPECT_TRUE(server.is_closed());
    EXPECT_THROW(TcpStream::connect(at), ConnectError);
    settle();
    client.write_all("still\n");
    EXPECT_EQ("still\n", read_exactly(client, 6));
  });
}

TEST_F(ServerTest, ItsDestructorCancelsAndJoins) {
  run([this] {
    TcpListener listener = TcpListener::bind(loopback());
    const Endpoint at = listener.local();
    std::optional<TcpStream> client;
    bool was_cancelled = false;
    {
      Server server{std::move(listener), [&](TcpStream&) {
                      try {
                        sleep_forever();
                      } catch (const Cancelled&) {
                        was_cancelled = true;
                        throw;
                      }
                    }};
      client = TcpStream::connect(at);
      settle();
      EXPECT_EQ(1u, server.connections());
    }
    EXPECT_TRUE(was_cancelled);
    EXPECT_EQ(Duration{}, elapsed());
    EXPECT_THROW(TcpStream::connect(at), ConnectError);
    EXPECT_EQ("", read_to_end(*client));
  });
}

TEST_F(ServerTest, ACancelledDrainCancelsTheHandlers) {
  run([this] {
    TcpListener listener = TcpListener::bind(loopback());
    const Endpoint at = listener.local();
    Server server{std::move(listener), [](TcpStream&) { sleep(1h); }};
    TcpStream client = TcpStream::connect(at);
    settle();
    auto drain = create_task([&] { server.drain(10min); });
    settle();
    drain.cancel();
    EXPECT_THROW(await(drain), TaskCancelledException);
    EXPECT_EQ(0u, server.connections());
    EXPECT_EQ(Duration{}, elapsed());
  });
}

TEST_F(ServerTest, AHandlerCannotDrain) {
  run([] {
    TcpListener listener = TcpListener::bind(loopback());
    const Endpoint at = listener.local();
    std::string said;
    Server server{std::move(listener), [&](TcpStream&, Server& its) {
                    said = message_of<InvalidStateError>([&] { its.drain(1s); });
                  }};
    TcpStream client = TcpStream::connect(at);
    EXPECT_EQ("", read_to_end(client));
    EXPECT_TRUE(contains(said, "called by a handler, which would wait for itself")) << said;
  });
}

TEST_F(ServerTest, NoMoreAreServedAtATimeThanAsked) {
  run([] {
    TcpListener listener = TcpListener::bind(loopback());
    const Endpoint at = listener.local();
    Server server{std::move(listener), &echo_lines, {.most = 2}};
    std::vector<TcpStream> clients;
    for (int i = 0; i < 3; ++i) clients.push_back(TcpStream::connect(at));
    settle();
    EXPECT_EQ(2u, server.connections());
    clients[2].write_all("third\n");
    settle();
    clients[0].close();
    EXPECT_EQ("third\n", read_exactly(clients[2], 6));
    EXPECT_EQ(2u, server.connections());
    EXPECT_TRUE(server.drain(1s)) << "also while it waits for room";
  });
}

TEST_F(ServerTest, AListenerThatFailsIsReportedAndConnectionsGoOn) {
  run([] {
    TcpListener listener = TcpListener::bind(loopback());
    const Endpoint at = listener.local();
    Server server{std::move(listener), &echo_lines};
    TcpStream client = TcpStream::connect(at);
    settle();
    fail_next(Call::accept4, EINVAL);
    auto refused = create_task([at] { TcpStream::connect(at); });
    try {
      await(refused);
    } catch (const ConnectError&) {  // it may be connected before it is reset, or not
    }
    client.write_all("on\n");
    EXPECT_EQ("on\n", read_exactly(client, 3));
    EXPECT_THROW(TcpStream::connect(at), ConnectError);
  });
  ASSERT_EQ(1u, reports.size());
  EXPECT_TRUE(contains(reports[0], "cannot accept any more")) << reports[0];
  reports.clear();
}

TEST_F(ServerTest, ServeGoesOnUntilTheListenerIsClosed) {
  run([] {
    TemporaryFolder folder;
    UnixListener listener = UnixListener::bind(folder.endpoint());
    auto serving = create_task([&] {
      serve(listener, [](UnixStream& stream) { stream.write_all(read_exactly(stream, 2)); });
    });
    UnixStream client = UnixStream::connect(folder.endpoint());
    settle();
    listener.close();
    settle();
    EXPECT_FALSE(serving.is_done()) << "it waits for the handler";
    client.write_all("hi");
    EXPECT_EQ("hi", read_to_end(client));
    await(serving);
  });
}

TEST_F(ServerTest, ServeCancelledEndsItsHandlersAndLeavesTheListener) {
  run([] {
    TcpListener listener = TcpListener::bind(loopback());
    auto serving = create_task([&] { serve(listener, [](TcpStream&) { sleep_forever(); }); });
    TcpStream client = TcpStream::connect(listener.local());
    settle();
    serving.cancel();
    EXPECT_THROW(await(serving), TaskCancelledException);
    EXPECT_EQ("", read_to_end(client));
    EXPECT_FALSE(listener.is_closed());
  });
}

}  // namespace
}  // namespace asyncio::test

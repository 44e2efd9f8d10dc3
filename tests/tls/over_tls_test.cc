// Servers of TLS connections.
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

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

class OverTlsTest : public LoopTest {
 protected:
  static TlsStream connect(const Endpoint& to) {
    return TlsStream::connect(TcpStream::connect(to), "example.org",
                              TlsContext::client(client_options()));
  }
};

TEST_F(OverTlsTest, EachConnectionHasATaskAndIsClosedGently) {
  run([] {
    TcpListener listener = TcpListener::bind(loopback());
    const Endpoint at = listener.local();
    const std::string answer = pattern(1 << 20);
    Server server{std::move(listener),
                  over_tls(TlsContext::server(server_options()), [&](TlsStream& stream) {
                    read_exactly(stream, 1);
                    stream.write_all(answer);
                  })};
    TlsStream one = connect(at);
    TlsStream other = connect(at);
    other.write_all("?");
    EXPECT_TRUE(read_to_end(other) == answer) << "its end is announced";
    one.write_all("?");
    EXPECT_TRUE(read_to_end(one) == answer);
  });
}

TEST_F(OverTlsTest, N55_ASlowHandshakeHoldsUpNobodyElse) {
  run([this] {
    TcpListener listener = TcpListener::bind(loopback());
    const Endpoint at = listener.local();
    Server server{std::move(listener),
                  over_tls(TlsContext::server(server_options()),
                           [](TlsStream& stream) { stream.write_all("hello"); })};
    TcpStream silent = TcpStream::connect(at);
    TcpStream slow = TcpStream::connect(at);
    slow.write_all("\x16");
    settle();
    TlsStream good = connect(at);
    EXPECT_EQ("hello", read_to_end(good));
    good.close();
    settle();
    EXPECT_EQ(2u, server.connections()) << "they do not hold up its end either";
    EXPECT_EQ("", read_to_end(silent));
    EXPECT_EQ("", read_to_end(slow));
    EXPECT_LE(elapsed(), Duration{12s});
  });
  ASSERT_EQ(2u, reports.size());
  EXPECT_TRUE(contains(reports[0], "does not begin the handshake")) << reports[0];
  EXPECT_TRUE(contains(reports[1], "no handshake within")) << reports[1];
  reports.clear();
}

TEST_F(OverTlsTest, N39_AHandlerThatThrowsCutsItsConnectionOff) {
  run([] {
    TcpListener listener = TcpListener::bind(loopback());
    const Endpoint at = listener.local();
    Server server{std::move(listener),
                  over_tls(TlsContext::server(server_options()), [](TlsStream& stream) {
                    stream.write_all("half of");
                    throw std::runtime_error("oh dear");
                  })};
    TlsStream client = connect(at);
    EXPECT_EQ("half of", read_exactly(client, 7));
    EXPECT_THROW(read_exactly(client, 1), TlsTruncatedError);
    TcpStream::connect(at).write_all("no TLS at all");
    settle();
  });
  ASSERT_EQ(2u, reports.size());
  EXPECT_TRUE(contains(reports[0], "oh dear")) << reports[0];
  EXPECT_TRUE(contains(reports[1], "TlsStream::accept(127.0.0.1:")) << reports[1];
  reports.clear();
}

TEST_F(OverTlsTest, N40_ADrainEndsTheIdleAndThoseThatHaveNotBegunAndLetsTheBusyFinish) {
  run([this] {
    TcpListener listener = TcpListener::bind(loopback());
    const Endpoint at = listener.local();
    Server server{
        std::move(listener),
        over_tls(TlsContext::server(server_options()), [](TlsStream& stream, Server& its) {
          BufferedReader reader{stream};
          while (its.idle([&] { return reader.read_line().has_value(); }).value_or(false)) {
            sleep(2s);
            stream.write_all("done\n");
          }
        })};
    TcpStream not_begun = TcpStream::connect(at);
    TlsStream idle = connect(at);
    TlsStream busy = connect(at);
    busy.write_all("work\n");
    settle();
    auto drain = create_task([&] { return server.drain(10s); });
    EXPECT_EQ("", read_to_end(not_begun));
    EXPECT_EQ("", read_to_end(idle));
    EXPECT_LT(elapsed(), Duration{1s});
    auto closing = create_task([&] { idle.close(); });
    EXPECT_EQ("done\n", read_to_end(busy));
    busy.close();
    EXPECT_TRUE(await(drain));
    await(closing);
    EXPECT_THROW(TcpStream::connect(at), ConnectError);
  });
}

TEST_F(OverTlsTest, ServeTakesItToo) {
  run([] {
    TcpListener listener = TcpListener::bind(loopback());
    auto serving = create_task([&] {
      serve(listener, over_tls(TlsContext::server(server_options()),
                               [](TlsStream& stream) { stream.write_all("hi"); }));
    });
    TlsStream client = connect(listener.local());
    listener.close();
    EXPECT_EQ("hi", read_to_end(client));
    client.close();
    await(serving);
  });
}

}  // namespace
}  // namespace asyncio::test

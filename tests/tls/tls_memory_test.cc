// What a TLS connection costs while it is used, and while it is not.
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <malloc.h>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/system_calls.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/scale.h>
#include <asyncio/tests/tls/tls_pair.h>
#include <asyncio/tls/all.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class TlsMemoryTest : public LoopTest {};

TEST_F(TlsMemoryTest, N14_ManyEchoesTakeNoMemory) {
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
        std::array<std::byte, 2048> some;
        pair.client.write_all(request);
        ASSERT_EQ(request.size(), pair.client.read_some(some));
      };
      for (int i = 0; i < 100; ++i) exchange();
      const std::size_t ours = allocations();
      for (std::size_t i = 0; i < scaled(10'000); ++i) exchange();
      EXPECT_EQ(0u, allocations() - ours);
      echo.cancel();
    }
  });
}

std::size_t heap() {
  const struct mallinfo2 of_all = ::mallinfo2();
  return of_all.uordblks + of_all.hblkhd;
}

void say_something(TlsPair& pair) {
  pair.client.write_all("x");
  EXPECT_EQ("x", read_exactly(pair.server, 1));
  pair.server.write_all("y");
  EXPECT_EQ("y", read_exactly(pair.client, 1));
}

TEST_F(TlsMemoryTest, N60_AConnectionThatIsQuietNeedsLittle) {
  run([] {
    TlsClientOptions forgetful = client_options();
    forgetful.cached_sessions = 0;
    const TlsContext client = TlsContext::client(forgetful);
    const TlsContext server = TlsContext::server(server_options());
    for (const char* first : {"once", "for all"}) {
      TlsPair warm_up = make_tls_pair(client, server);
      warm_up.client.write_all(first);
    }
    constexpr std::size_t pairs = 50;
    std::vector<std::optional<TlsPair>> idle;
    idle.reserve(pairs);
    const std::size_t before = heap();
    for (std::size_t i = 0; i < pairs; ++i) {
      idle.push_back(make_tls_pair(client, server));
      say_something(*idle.back());
    }
    const std::size_t busy = heap();
    sleep(2s);
    const std::size_t quiet = heap();
    for (std::optional<TlsPair>& pair : idle) say_something(*pair);
    EXPECT_GT(heap(), quiet) << "they took their buffers again";
    sleep(2s);
    if (watched()) return;  // that takes memory of its own
    EXPECT_GT((busy - before) / (2 * pairs), 40'000u) << "or this shows nothing";
    EXPECT_LT(heap(), quiet + pairs * 2'000);
    // The server's ends, one by one: a client's has the server's certificate as well.
    const std::size_t both = heap();
    for (std::optional<TlsPair>& pair : idle) {
      const TlsStream gone = std::move(pair->server);
    }
    EXPECT_LT((both - heap()) / pairs, 16'384u);
    EXPECT_LT((both - before) / (2 * pairs), 20'000u);
  });
}

TEST_F(TlsMemoryTest, TheSweepEndsWithTheLastConnectionAndWhenAllAreQuiet) {
  run([] {
    const auto timers = [] { return get_event_loop().statistics().timers; };
    const std::size_t before = timers();
    {
      TlsPair pair = make_tls_pair();
      EXPECT_EQ(before + 1, timers());
      sleep(1500ms);
      say_something(pair);
      sleep(1s);
      EXPECT_EQ(before + 1, timers()) << "it was used since the last look";
      sleep(1s);
      EXPECT_EQ(before, timers());
      say_something(pair);
      EXPECT_EQ(before + 1, timers());
    }
    EXPECT_EQ(before, timers());
  });
}

TEST_F(TlsMemoryTest, ARecordThatHasComeInPartOutlastsTheSweep) {
  run([] {
    // Between the two: what the client gets, bit by bit.
    TcpPair wire = make_tcp_pair();
    const TlsContext server = TlsContext::server(server_options());
    auto accepting = create_task([&] { return TlsStream::accept(std::move(wire.server), server); });
    TcpPair front = make_tcp_pair();
    auto upstream = create_task([&] {
      std::array<std::byte, 4096> some;
      while (const std::size_t got = front.server.read_some(some)) {
        wire.client.write_all(std::span{some}.first(got));
      }
    });
    bool by_bits = false;
    auto downstream = create_task([&] {
      std::array<std::byte, 4096> some;
      while (const std::size_t got = wire.client.read_some(some)) {
        for (std::size_t i = 0; i < got && by_bits; ++i) {
          front.server.write_all(std::span{some}.subspan(i, 1));
          sleep(3s);
        }
        if (!by_bits) front.server.write_all(std::span{some}.first(got));
      }
    });
    TlsStream client = TlsStream::connect(std::move(front.client), "example.org",
                                          TlsContext::client(client_options()));
    TlsStream peer = await(std::move(accepting));
    peer.write_all("at once");
    EXPECT_EQ("at once", read_exactly(client, 7));
    by_bits = true;
    peer.write_all("slowly");
    EXPECT_EQ("slowly", read_exactly(client, 6));
    upstream.cancel();
    downstream.cancel();
  });
}

}  // namespace
}  // namespace asyncio::test

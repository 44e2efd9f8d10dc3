// Records that arrive in other pieces than they were sent in, and records that were changed.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/scale.h>
#include <asyncio/tests/tls/tls_pair.h>
#include <asyncio/tls/all.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class TlsCutsTest : public LoopTest {};

std::size_t between(std::mt19937& random, std::size_t least, std::size_t most) {
  return std::uniform_int_distribution<std::size_t>{least, most}(random);
}

/// Passes on what comes, one way, until its end.
class Wire {
 public:
  Wire(TcpStream& from, TcpStream& to, std::uint32_t seed) : from_(from), to_(to), random_(seed) {}

  void cut(std::size_t longest) { longest_ = longest; }
  /// From now on, one bit of every so many bytes.
  void flip_every(std::size_t bytes) { flip_after_ = flip_every_ = bytes; }

  void run() {
    std::array<std::byte, 4096> some;
    while (const std::size_t got = from_.read_some(some)) {
      ConstBytes rest = std::span{some}.first(got);
      damage(std::span{some}.first(got));
      while (!rest.empty()) {
        const std::size_t size = std::min(rest.size(), between(random_, 1, longest_));
        to_.write_all(rest.first(size));
        rest = rest.subspan(size);
        // Whoever waits for it gets this much, and no more.
        for (int i = 0; i < 3; ++i) yield();
      }
    }
    to_.shutdown_write();
  }

 private:
  void damage(std::span<std::byte> bytes) {
    if (flip_every_ == 0) return;
    for (std::byte& byte : bytes) {
      if (--flip_after_ != 0) continue;
      flip_after_ = flip_every_;
      byte ^= std::byte{1} << between(random_, 0, 7);
    }
  }

  TcpStream& from_;
  TcpStream& to_;
  std::mt19937 random_;
  std::size_t longest_ = 4096;
  std::size_t flip_every_ = 0;
  std::size_t flip_after_ = 0;
};

/// Writes all of it in pieces of random sizes, then ends.
void write_in_pieces(TlsStream& to, std::string_view all, std::uint32_t seed) {
  std::mt19937 random{seed};
  while (!all.empty()) {
    const std::size_t size = std::min(all.size(), between(random, 1, 9'000));
    to.write_all(all.substr(0, size));
    all.remove_prefix(size);
    if (between(random, 0, 2) == 0) yield();
  }
  to.shutdown_write();
}

std::string read_in_pieces(TlsStream& from, std::uint32_t seed) {
  std::mt19937 random{seed};
  std::array<std::byte, 5000> some;
  std::string all;
  while (const std::size_t got =
             from.read_some(std::span{some}.first(between(random, 1, some.size())))) {
    all += text(std::span{some}.first(got));
  }
  return all;
}

/// Two ends with a wire between them in each direction.
struct WiredPair {
  explicit WiredPair(std::uint32_t seed)
      : up(near.server, far.client, seed), down(far.client, near.server, seed + 1) {}

  TcpPair near = make_tcp_pair();
  TcpPair far = make_tcp_pair();
  Wire up;
  Wire down;
};

void talk_over_cuts(TlsVersion version, std::uint32_t seed, std::size_t longest) {
  WiredPair wired{seed};
  wired.up.cut(longest);
  wired.down.cut(longest);
  TaskGroup::run([&](TaskGroup& group) {
    group.spawn([&] { wired.up.run(); });
    group.spawn([&] { wired.down.run(); });
    const std::string all = pattern(longest < 10 ? 3'000 : 60'000);
    const TlsContext server_context = TlsContext::server(server_options());
    auto server = group.spawn([&] {
      TlsStream stream = TlsStream::accept(std::move(wired.far.server), server_context);
      auto writer = create_task([&] { write_in_pieces(stream, all, seed + 2); });
      EXPECT_TRUE(read_in_pieces(stream, seed + 3) == all) << "server, seed " << seed;
      await(writer);
    });
    TlsClientOptions with = client_options();
    with.oldest = with.newest = version;
    TlsStream stream =
        TlsStream::connect(std::move(wired.near.client), "example.org", TlsContext::client(with));
    auto writer = create_task([&] { write_in_pieces(stream, all, seed + 4); });
    EXPECT_TRUE(read_in_pieces(stream, seed + 5) == all) << "client, seed " << seed;
    await(writer);
    await(server);
    stream.close();
  });
}

TEST_F(TlsCutsTest, HoweverTheRecordsAreCutNothingIsLost) {
  run([] {
    for (const TlsVersion version : both_versions) {
      talk_over_cuts(version, 1, 1);
      talk_over_cuts(version, 2, 7);
      for (std::uint32_t seed = 3; seed < 3 + scaled(6); ++seed) {
        talk_over_cuts(version, seed, seed % 2 == 0 ? 200 : 3000);
      }
    }
  });
}

TEST_F(TlsCutsTest, AMessageThatHasComeInPartHoldsUpNobodyForGood) {
  run([] {
    // A ticket has the client's certificate in it.  This one is so large that it takes more than a
    // record, so that the client knows it to be a ticket before it has all of it.
    std::string many_names = "DNS:client";
    for (int i = 0; i < 700; ++i) {
      many_names += ",DNS:name-" + std::to_string(i) + ".of-many.example.org";
    }
    WiredPair wired{1};
    wired.down.cut(500);
    TaskGroup::run([&](TaskGroup& group) {
      group.spawn([&] { wired.up.run(); });
      group.spawn([&] { wired.down.run(); });
      TlsServerOptions asking = server_options();
      asking.client_certificate = TlsClientCertificate::required;
      asking.roots = authority().root();
      const TlsContext context = TlsContext::server(asking);
      auto server = group.spawn([&] {
        TlsStream stream = TlsStream::accept(std::move(wired.far.server), context);
        write_in_pieces(stream, "welcome", 1);
        return read_to_end(stream);
      });
      TlsClientOptions with = client_options();
      with.identity = authority().issue({.names = many_names});
      TlsStream stream =
          TlsStream::connect(std::move(wired.near.client), "example.org", TlsContext::client(with));
      auto reader = create_task([&] { return read_to_end(stream); });
      std::string sent;
      for (int i = 0; i < 100; ++i) {
        stream.write_all("line\n");
        sent += "line\n";
        yield();
      }
      stream.shutdown_write();
      EXPECT_EQ("welcome", await(reader));
      EXPECT_EQ(sent, await(server));
      stream.close();
    });
  });
}

TEST_F(TlsCutsTest, WhateverIsChangedNothingFalseIsRead) {
  run([] {
    int noticed = 0;
    for (std::uint32_t seed = 0; seed < scaled(60); ++seed) {
      WiredPair wired{seed};
      wired.up.flip_every(1 + seed * 37);
      wired.up.cut(seed % 3 == 0 ? 100 : 4096);
      const std::string all = pattern(5'000);
      try {
        TaskGroup::run([&](TaskGroup& group) {
          group.spawn([&] { wired.up.run(); });
          group.spawn([&] { wired.down.run(); });
          const TlsContext context = TlsContext::server(server_options());
          group.spawn([&] {
            TlsStream stream = TlsStream::accept(std::move(wired.far.server), context);
            std::string got;
            std::array<std::byte, 1000> some;
            while (const std::size_t size = stream.read_some(some)) {
              got += text(std::span{some}.first(size));
              EXPECT_TRUE(all.starts_with(got)) << "seed " << seed;
            }
            EXPECT_TRUE(got == all) << "seed " << seed;
          });
          TlsStream stream = TlsStream::connect(std::move(wired.near.client), "example.org",
                                                TlsContext::client(client_options()));
          write_in_pieces(stream, all, seed);
          stream.close();
        });
      } catch (const ExceptionGroup&) {
        ++noticed;
      } catch (const Error&) {
        ++noticed;
      }
    }
    EXPECT_GT(noticed, static_cast<int>(scaled(60)) / 2);
  });
}

}  // namespace
}  // namespace asyncio::test

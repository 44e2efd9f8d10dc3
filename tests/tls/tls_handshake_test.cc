// What the two sides agree on, and when they do not.
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
#include <asyncio/tests/tls/certificates.h>
#include <asyncio/tests/tls/tls_pair.h>
#include <asyncio/tls/all.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class TlsHandshakeTest : public LoopTest {};

// ---- Agreeing -----------------------------------------------------------------------------------

TEST_F(TlsHandshakeTest, BothEndsKnowWhatTheyHaveAgreedOn) {
  run([] {
    for (const TlsVersion version : both_versions) {
      TlsClientOptions with = client_options();
      with.oldest = with.newest = version;
      with.alpn = {"h2", "http/1.1"};
      TlsServerOptions server = server_options();
      server.alpn = {"http/1.1", "h2"};
      const TlsPair pair = make_tls_pair(with, server);
      EXPECT_EQ(version, pair.client.version());
      EXPECT_EQ(version, pair.server.version());
      EXPECT_EQ("http/1.1", pair.client.alpn()) << "the server's order counts";
      EXPECT_EQ("http/1.1", pair.server.alpn());
      EXPECT_EQ("example.org", pair.server.server_name());
      EXPECT_EQ(example_identity().certificates, pair.client.peer_certificate());
      EXPECT_EQ("", pair.server.peer_certificate());
      EXPECT_FALSE(pair.client.resumed());
      EXPECT_EQ(pair.client.local(), pair.server.peer());
      EXPECT_EQ(pair.client.peer(), pair.server.local());
    }
  });
}

TEST_F(TlsHandshakeTest, WithoutACommonProtocolBothFail) {
  run([] {
    TlsClientOptions with = client_options();
    with.alpn = {"h2"};
    TlsServerOptions server_only = server_options();
    server_only.alpn = {"http/1.1"};
    const TlsContext server = TlsContext::server(server_only);
    TcpPair tcp = make_tcp_pair();
    auto accepting = create_task([&] { TlsStream::accept(std::move(tcp.server), server); });
    const std::string said = message_of<TlsError>([&] {
      TlsStream::connect(std::move(tcp.client), "example.org", TlsContext::client(with));
    });
    EXPECT_TRUE(contains(said, "no application protocol")) << said;
    EXPECT_THROW(await(accepting), TlsError);
  });
}

TEST_F(TlsHandshakeTest, WhoeverNamesNoProtocolTakesAny) {
  run([] {
    TlsClientOptions with = client_options();
    with.alpn = {"h2"};
    EXPECT_EQ("", make_tls_pair(with, server_options()).client.alpn());
    TlsServerOptions server = server_options();
    server.alpn = {"h2"};
    EXPECT_EQ("", make_tls_pair(client_options(), server).server.alpn());
  });
}

TEST_F(TlsHandshakeTest, WithoutACommonVersionBothFail) {
  run([] {
    TlsClientOptions with = client_options();
    with.newest = TlsVersion::v1_2;
    TlsServerOptions newer = server_options();
    newer.oldest = TlsVersion::v1_3;
    const TlsContext server = TlsContext::server(newer);
    TcpPair tcp = make_tcp_pair();
    auto accepting = create_task([&] { TlsStream::accept(std::move(tcp.server), server); });
    const std::string said = message_of<TlsError>([&] {
      TlsStream::connect(std::move(tcp.client), "example.org", TlsContext::client(with));
    });
    EXPECT_TRUE(contains(said, "protocol version")) << said;
    EXPECT_THROW(await(accepting), TlsError);
  });
}

TEST_F(TlsHandshakeTest, AnAddressIsNotShownToTheServer) {
  run([] {
    TlsServerOptions with;
    with.identity = authority().issue({.names = "IP:127.0.0.1"});
    const TlsPair pair =
        make_tls_pair(TlsContext::client(client_options()), TlsContext::server(with), "127.0.0.1");
    EXPECT_EQ("", pair.server.server_name());
  });
}

TEST_F(TlsHandshakeTest, WhatCanBeNoNameIsRefused) {
  run([] {
    const TlsContext client = TlsContext::client(client_options());
    const std::string wrong[] = {
        "",
        ".",
        "a..b",
        "127.0.0.1 x",
        "with space",
        std::string{"a\0b", 3},
        "tab\there",
        "\xc3\xa4.org",
        std::string(64, 'a'),
        std::string(254, 'a'),
        std::string(127, 'a') + "." + std::string(127, 'b'),
    };
    for (const std::string& host : wrong) {
      TcpPair tcp = make_tcp_pair();
      EXPECT_THROW(TlsStream::connect(std::move(tcp.client), host, client), std::invalid_argument)
          << host;
    }
  });
}

// ---- The server's choice ------------------------------------------------------------------------

TEST_F(TlsHandshakeTest, AServerMayHaveAnIdentityForEachName) {
  run([] {
    TlsServerOptions other;
    other.identity = authority().issue({.names = "DNS:example.net"});
    other.alpn = {"other"};
    other.client_certificate = TlsClientCertificate::required;
    other.roots = authority().root();
    TlsServerOptions with = server_options();
    std::vector<std::string> asked;
    with.choose = [&, context = TlsContext::server(other)](
                      std::string_view host) -> std::optional<TlsContext> {
      asked.emplace_back(host);
      if (host != "example.net") return std::nullopt;
      return context;
    };
    const TlsContext server = TlsContext::server(with);
    for (const TlsVersion version : both_versions) {
      TlsClientOptions one = client_options();
      one.alpn = {"other"};
      one.identity = example_identity();
      one.oldest = one.newest = version;
      const TlsContext client = TlsContext::client(one);
      const TlsPair pair = make_tls_pair(client, server, "example.net");
      EXPECT_EQ(other.identity.certificates, pair.client.peer_certificate());
      EXPECT_EQ(one.identity->certificates, pair.server.peer_certificate());
      EXPECT_EQ("other", pair.client.alpn());
      const TlsPair plain = make_tls_pair(client, server, "example.org");
      EXPECT_EQ(example_identity().certificates, plain.client.peer_certificate());
      EXPECT_EQ("", plain.server.peer_certificate());
    }
    EXPECT_EQ(
        (std::vector<std::string>{"example.net", "example.org", "example.net", "example.org"}),
        asked);
  });
}

TEST_F(TlsHandshakeTest, WhatTheChoiceThrowsComesOutAndItMayNotSuspend) {
  run([] {
    TlsServerOptions with = server_options();
    with.choose = [](std::string_view host) -> std::optional<TlsContext> {
      if (host == "example.org") throw std::domain_error("no such host here");
      if (host == "example.com") return TlsContext::client(client_options());
      sleep(1s);
      return std::nullopt;
    };
    const TlsContext server = TlsContext::server(with);
    const TlsContext client = TlsContext::client(client_options());
    const auto outcome = [&](const char* host) {
      TcpPair tcp = make_tcp_pair();
      auto accepting = create_task([&] { TlsStream::accept(std::move(tcp.server), server); });
      EXPECT_THROW(TlsStream::connect(std::move(tcp.client), host, client), TlsError);
      return accepting;
    };
    EXPECT_THROW(await(outcome("example.org")), std::domain_error);
    EXPECT_THROW(await(outcome("example.net")), InvalidStateError);
    EXPECT_THROW(await(outcome("example.com")), InvalidStateError);
  });
}

// ---- Remembering --------------------------------------------------------------------------------

/// Connections of one client to one server, which has one port.
class Acquaintance {
 public:
  explicit Acquaintance(const TlsClientOptions& client = client_options(),
                        const TlsServerOptions& server = server_options())
      : client_(TlsContext::client(client)),
        server_(TlsContext::server(server)),
        listener_(TcpListener::bind(loopback())) {}

  /// Makes one, in which the server says something, so that the client gets its tickets.  Returns
  /// whether the handshake was a short one.
  bool meet(const std::string& host = "example.org") { return meet(host, "hello"); }
  /// Likewise, but the server says nothing, so there are no new tickets.
  bool meet_silently() { return meet("example.org", ""); }
  void move_to_another_port() { listener_ = TcpListener::bind(loopback()); }

 private:
  bool meet(const std::string& host, const std::string& greeting) {
    auto connecting = create_task([to = listener_.local()] { return TcpStream::connect(to); });
    TcpStream accepted = listener_.accept();
    auto accepting = create_task([&] { return TlsStream::accept(std::move(accepted), server_); });
    TlsStream client = TlsStream::connect(await(std::move(connecting)), host, client_);
    TlsStream server = await(std::move(accepting));
    server.write_all(greeting);
    EXPECT_EQ(greeting, read_exactly(client, greeting.size()));
    EXPECT_EQ(client.resumed(), server.resumed());
    EXPECT_NE("", client.peer_certificate());
    return client.resumed();
  }

  TlsContext client_;
  TlsContext server_;
  TcpListener listener_;
};

TEST_F(TlsHandshakeTest, N59_TheNextConnectionsAreResumed) {
  run([] {
    for (const TlsVersion version : both_versions) {
      TlsClientOptions with = client_options();
      with.oldest = with.newest = version;
      Acquaintance two{with};
      EXPECT_FALSE(two.meet());
      EXPECT_TRUE(two.meet());
      EXPECT_TRUE(two.meet());
    }
  });
}

TEST_F(TlsHandshakeTest, N59_ATicketIsShownOnce) {
  run([] {
    Acquaintance two;
    EXPECT_FALSE(two.meet());  // it brings two tickets
    // Those that nothing is said in bring none, and use up the two.
    EXPECT_TRUE(two.meet_silently());
    EXPECT_TRUE(two.meet_silently());
    EXPECT_FALSE(two.meet_silently());
  });
}

TEST_F(TlsHandshakeTest, SessionsAreOfOneHostAndOnePort) {
  run([] {
    TlsServerOptions with;
    with.identity = authority().issue({.names = "DNS:example.org,DNS:example.net"});
    Acquaintance two{client_options(), with};
    EXPECT_FALSE(two.meet("example.org"));
    EXPECT_FALSE(two.meet("example.net"));
    EXPECT_TRUE(two.meet("example.org"));
    two.move_to_another_port();
    EXPECT_FALSE(two.meet("example.org"));
  });
}

TEST_F(TlsHandshakeTest, OnlySoManySessionsAreKept) {
  run([] {
    TlsServerOptions with;
    with.identity = authority().issue({.names = "DNS:*.example.org"});
    TlsClientOptions few = client_options();
    few.cached_sessions = 4;  // of two servers
    Acquaintance two{few, with};
    EXPECT_FALSE(two.meet("a.example.org"));
    EXPECT_FALSE(two.meet("b.example.org"));
    EXPECT_FALSE(two.meet("c.example.org"));
    EXPECT_FALSE(two.meet("a.example.org"));
    EXPECT_TRUE(two.meet("c.example.org"));
    few.cached_sessions = 0;
    Acquaintance forgetful{few, with};
    EXPECT_FALSE(forgetful.meet("a.example.org"));
    EXPECT_FALSE(forgetful.meet("a.example.org"));
  });
}

TEST_F(TlsHandshakeTest, AClientWithACertificateIsRememberedWithIt) {
  run([] {
    TlsClientOptions client = client_options();
    client.identity = example_identity();
    TlsServerOptions server = server_options();
    server.client_certificate = TlsClientCertificate::required;
    server.roots = authority().root();
    Acquaintance two{client, server};
    EXPECT_FALSE(two.meet());
    EXPECT_TRUE(two.meet());
  });
}

// ---- Failing ------------------------------------------------------------------------------------

TEST_F(TlsHandshakeTest, N55_ASilentPeerIsGivenUp) {
  run([this] {
    TcpPair tcp = make_tcp_pair();
    const std::string said = message_of<TimeoutException>(
        [&] { TlsStream::accept(std::move(tcp.server), TlsContext::server(server_options())); });
    EXPECT_TRUE(contains(said, "10000 ms")) << said;
    EXPECT_EQ(Duration{10s}, elapsed());
    EXPECT_EQ("", read_to_end(tcp.client)) << "it is closed";
    TlsClientOptions hasty = client_options();
    hasty.handshake_timeout = 1s;
    TcpPair other = make_tcp_pair();
    EXPECT_THROW(
        TlsStream::connect(std::move(other.client), "example.org", TlsContext::client(hasty)),
        TimeoutException);
    EXPECT_EQ(Duration{11s}, elapsed());
  });
}

TEST_F(TlsHandshakeTest, ACancelledHandshakeClosesTheConnection) {
  run([] {
    TcpPair tcp = make_tcp_pair();
    auto accepting = create_task(
        [&] { TlsStream::accept(std::move(tcp.server), TlsContext::server(server_options())); });
    settle();
    accepting.cancel();
    EXPECT_THROW(await(accepting), TaskCancelledException);
    EXPECT_EQ("", read_to_end(tcp.client));
  });
}

TEST_F(TlsHandshakeTest, APeerThatSpeaksSomethingElseIsAnError) {
  run([] {
    TcpPair tcp = make_tcp_pair();
    tcp.client.write_all("GET / HTTP/1.1\r\n\r\n");
    const std::string said = message_of<TlsError>(
        [&] { TlsStream::accept(std::move(tcp.server), TlsContext::server(server_options())); });
    EXPECT_TRUE(contains(said, "http request")) << said;
    EXPECT_TRUE(contains(said, tcp.client.local().to_string())) << said;
  });
}

TEST_F(TlsHandshakeTest, APeerThatGoesInTheMiddleIsAnError) {
  run([] {
    TcpPair tcp = make_tcp_pair();
    tcp.server.close();
    const std::string said = message_of<TlsError>([&] {
      TlsStream::connect(std::move(tcp.client), "example.org",
                         TlsContext::client(client_options()));
    });
    EXPECT_TRUE(contains(said, "during the handshake")) << said;
    TcpPair reset = make_tcp_pair();
    reset.server.reset();
    EXPECT_THROW(TlsStream::connect(std::move(reset.client), "example.org",
                                    TlsContext::client(client_options())),
                 IoError);
    TcpPair closed = make_tcp_pair();
    closed.client.close();
    EXPECT_THROW(TlsStream::connect(std::move(closed.client), "example.org",
                                    TlsContext::client(client_options())),
                 ClosedError);
  });
}

}  // namespace
}  // namespace asyncio::test

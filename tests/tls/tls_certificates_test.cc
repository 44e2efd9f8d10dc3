// Whom a client believes, and a server.
#include <fstream>
#include <string>

#include <stdlib.h>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/io/temporary_folder.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/tls/certificates.h>
#include <asyncio/tests/tls/tls_pair.h>
#include <asyncio/tls/all.h>

namespace asyncio::test {
namespace {

class TlsCertificatesTest : public LoopTest {};

/// What a client says of a server with this certificate; nothing if it believes it.  The server
/// must have got nothing from it.
std::string verdict(const TlsIdentity& identity, const std::string& host,
                    const TlsContext& client = TlsContext::client(client_options())) {
  TlsServerOptions with;
  with.identity = identity;
  const TlsContext server = TlsContext::server(with);
  TcpPair tcp = make_tcp_pair();
  auto accepting = create_task([&] {
    std::string got;
    try {
      TlsStream stream = TlsStream::accept(std::move(tcp.server), server);
      got = read_to_end(stream);
    } catch (const TlsError& error) {
      got = "";
    }
    return got;
  });
  std::string said;
  try {
    TlsStream stream = TlsStream::connect(std::move(tcp.client), host, client);
    stream.write_all("the secret");
    stream.close();
  } catch (const TlsError& error) {
    said = error.what();
  }
  EXPECT_EQ(said.empty() ? "the secret" : "", await(accepting));
  return said;
}

std::string refused_for(const Authority::Wanted& wanted, const std::string& host) {
  return verdict(authority().issue(wanted), host);
}

TEST_F(TlsCertificatesTest, N49_WhoeverCannotProveItsNameIsRefused) {
  run([] {
    EXPECT_EQ("", refused_for({.names = "DNS:example.org,DNS:*.example.net"}, "example.org"));
    EXPECT_EQ("", refused_for({.names = "DNS:example.org,DNS:*.example.net"}, "a.example.net"));
    EXPECT_EQ("", refused_for({.names = "DNS:example.org"}, "EXAMPLE.org."));
    const std::string said = refused_for({.names = "DNS:example.org"}, "example.com");
    EXPECT_TRUE(contains(said, "TlsStream::connect(example.com)")) << said;
    EXPECT_TRUE(contains(said, "ostname mismatch")) << said;
    EXPECT_TRUE(contains(said, "certificate verify failed")) << said;
    EXPECT_NE("", refused_for({.names = "DNS:*.example.net"}, "a.b.example.net"));
    EXPECT_NE("", refused_for({.names = "DNS:*.example.net"}, "example.net"));
  });
}

TEST_F(TlsCertificatesTest, N49_ACommonNameAloneOrAPartialWildcardProvesNothing) {
  run([] {
    EXPECT_NE("", refused_for({.names = "", .common_name = "example.org"}, "example.org"));
    EXPECT_NE("", refused_for({.names = "DNS:f*.example.org"}, "foo.example.org"));
  });
}

TEST_F(TlsCertificatesTest, N49_AnAddressIsProvedByAnAddress) {
  run([] {
    const std::string names = "DNS:example.org,IP:127.0.0.1,IP:::1";
    EXPECT_EQ("", refused_for({.names = names}, "127.0.0.1"));
    EXPECT_EQ("", refused_for({.names = names}, "::1"));
    const std::string said = refused_for({.names = names}, "127.0.0.2");
    EXPECT_TRUE(contains(said, "IP address mismatch")) << said;
    EXPECT_NE("", refused_for({.names = "DNS:127.0.0.1"}, "127.0.0.1"));
  });
}

TEST_F(TlsCertificatesTest, N49_OneThatHasExpiredIsRefused) {
  run([] {
    const std::string said = refused_for({.expired = true}, "example.org");
    EXPECT_TRUE(contains(said, "certificate has expired")) << said;
  });
}

TEST_F(TlsCertificatesTest, N49_OneOfAnUnknownAuthorityIsRefused) {
  run([] {
    const Authority stranger{"a stranger"};
    const std::string said = verdict(stranger.issue(), "example.org");
    EXPECT_TRUE(contains(said, "unable to get local issuer certificate")) << said;
    TlsClientOptions careless = client_options();
    careless.verify = false;
    EXPECT_EQ("", verdict(stranger.issue(), "example.org", TlsContext::client(careless)));
  });
}

TEST_F(TlsCertificatesTest, AnErrorHasOpensslsCode) {
  run([] {
    const Authority stranger{"a stranger"};
    TlsServerOptions with;
    with.identity = stranger.issue();
    try {
      make_tls_pair(client_options(), with);
      ADD_FAILURE() << "must throw";
    } catch (const TlsError& error) {
      EXPECT_EQ(tls_category(), error.code().category());
      EXPECT_EQ("certificate verify failed", error.code().message());
      EXPECT_STREQ("tls", error.code().category().name());
    }
  });
}

/// The client's certificate as the server gets it, or why there is none.
std::string shown_by_client(const TlsClientOptions& client, TlsClientCertificate wanted) {
  TlsServerOptions with = server_options();
  with.client_certificate = wanted;
  if (wanted != TlsClientCertificate::none) with.roots = authority().root();
  try {
    TlsPair pair = make_tls_pair(client, with);
    // In TLS 1.3 a client is done before it hears that it is refused.
    pair.server.write_all("welcome");
    EXPECT_EQ("welcome", read_exactly(pair.client, 7));
    EXPECT_NE("", pair.client.peer_certificate());
    return pair.server.peer_certificate();
  } catch (const TlsError& error) {
    return error.what();
  }
}

TEST_F(TlsCertificatesTest, AServerMayAskWhoItsClientIs) {
  run([] {
    TlsClientOptions unknown = client_options();
    TlsClientOptions known = client_options();
    known.identity = authority().issue({.names = "DNS:client"});
    EXPECT_EQ(known.identity->certificates, shown_by_client(known, TlsClientCertificate::wanted));
    EXPECT_EQ("", shown_by_client(known, TlsClientCertificate::none)) << "it is not asked";
    EXPECT_EQ("", shown_by_client(unknown, TlsClientCertificate::wanted));
    EXPECT_EQ(known.identity->certificates, shown_by_client(known, TlsClientCertificate::required));
    const std::string said = shown_by_client(unknown, TlsClientCertificate::required);
    EXPECT_TRUE(contains(said, "peer did not return a certificate") ||
                contains(said, "certificate required"))
        << said;
    TlsClientOptions false_one = client_options();
    const Authority stranger{"a stranger"};
    false_one.identity = stranger.issue();
    EXPECT_TRUE(contains(shown_by_client(false_one, TlsClientCertificate::wanted), "TlsStream::"));
  });
}

TEST_F(TlsCertificatesTest, ARefusedClientIsToldSo) {
  run([] {
    TlsServerOptions with = server_options();
    with.client_certificate = TlsClientCertificate::required;
    with.roots = authority().root();
    const TlsContext server = TlsContext::server(with);
    TcpPair tcp = make_tcp_pair();
    auto accepting = create_task([&] { TlsStream::accept(std::move(tcp.server), server); });
    const std::string said = message_of<TlsError>([&] {
      TlsStream client = TlsStream::connect(std::move(tcp.client), "example.org",
                                            TlsContext::client(client_options()));
      read_exactly(client, 1);
    });
    EXPECT_TRUE(contains(said, "the peer breaks off")) << said;
    EXPECT_TRUE(contains(said, "certificate required")) << said;
    EXPECT_THROW(await(accepting), TlsError);
  });
}

TEST_F(TlsCertificatesTest, TheSystemsRootsAreReadWhenTheyAreNeeded) {
  run([] {
    // Read once for the whole program, so this is the one case that may say where they are.
    static const TemporaryFolder folder;
    std::ofstream{folder.file("roots.pem")} << authority().root();
    ::unsetenv("SSL_CERT_DIR");
    ::setenv("SSL_CERT_FILE", folder.file("nothing.pem").c_str(), 1);
    const std::string said = verdict(example_identity(), "example.org", TlsContext::system());
    EXPECT_TRUE(contains(said, "install ca-certificates")) << said;
    ::setenv("SSL_CERT_FILE", folder.file("roots.pem").c_str(), 1);
    EXPECT_EQ("", verdict(example_identity(), "example.org", TlsContext::system()));
    EXPECT_EQ("", verdict(example_identity(), "example.org", TlsContext::client()));
    ::unsetenv("SSL_CERT_FILE");
    const Authority stranger{"a stranger"};
    EXPECT_NE("", verdict(stranger.issue(), "example.org", TlsContext::system()));
  });
}

}  // namespace
}  // namespace asyncio::test

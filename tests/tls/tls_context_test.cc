// TlsContext: what is refused when it is made.
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/io/temporary_folder.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/tls/certificates.h>
#include <asyncio/tests/tls/tls_pair.h>
#include <asyncio/tls/all.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class TlsContextTest : public LoopTest {};

std::string refused_server(const TlsServerOptions& with) {
  const std::string said = message_of<TlsError>([&] { TlsContext::server(with); });
  EXPECT_TRUE(contains(said, "TlsContext::server")) << said;
  EXPECT_EQ(0u, ERR_peek_error()) << "nothing is left for other code";
  return said;
}

/// A key that a password guards.
std::string guarded_key() {
  EVP_PKEY* const key = EVP_EC_gen("P-256");
  BIO* const memory = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(memory, key, EVP_aes_128_cbc(), nullptr, 0, nullptr,
                           const_cast<char*>("secret"));
  char* begin = nullptr;
  const long size = BIO_get_mem_data(memory, &begin);
  std::string text{begin, static_cast<std::size_t>(size)};
  BIO_free(memory);
  EVP_PKEY_free(key);
  return text;
}

TEST_F(TlsContextTest, ABadIdentityIsRefusedWithTheReason) {
  run([] {
    TlsServerOptions with = server_options();
    with.identity.certificates = "no PEM";
    EXPECT_TRUE(contains(refused_server(with), "cannot read a certificate"));
    with = server_options();
    with.identity.certificates.replace(60, 4, "!!!!");
    EXPECT_TRUE(contains(refused_server(with), "cannot read a certificate"));
    with = server_options();
    with.identity.key = "";
    EXPECT_TRUE(contains(refused_server(with), "cannot read the key"));
    with.identity.key = authority().issue().key;
    const std::string said = refused_server(with);
    EXPECT_TRUE(contains(said, "key values mismatch")) << said;
    // Nobody is asked at the terminal.
    with.identity.key = guarded_key();
    EXPECT_TRUE(contains(refused_server(with), "not encrypted"));
    EXPECT_THROW(TlsContext::server({}), TlsError);
    TlsClientOptions client;
    client.roots = "no PEM";
    EXPECT_THROW(TlsContext::client(client), TlsError);
  });
}

TEST_F(TlsContextTest, AnIdentityIsReadFromFiles) {
  run([] {
    const TemporaryFolder folder;
    std::ofstream{folder.file("certificate.pem")} << example_identity().certificates;
    std::ofstream{folder.file("key.pem")} << example_identity().key;
    TlsServerOptions with;
    with.identity = TlsIdentity::from_files(folder.file("certificate.pem"), folder.file("key.pem"));
    TlsPair pair = make_tls_pair(client_options(), with);
    EXPECT_EQ(example_identity().certificates, pair.client.peer_certificate());
    try {
      TlsIdentity::from_files(folder.file("certificate.pem"), folder.file("missing.pem"));
      ADD_FAILURE() << "must throw";
    } catch (const IoError& error) {
      EXPECT_TRUE(contains(error.what(), "missing.pem")) << error.what();
      EXPECT_EQ(std::errc::no_such_file_or_directory, error.code());
    }
  });
}

TEST_F(TlsContextTest, OptionsThatMakeNoSenseAreRefused) {
  run([] {
    TlsClientOptions client = client_options();
    client.alpn = {""};
    EXPECT_THROW(TlsContext::client(client), std::invalid_argument);
    client.alpn = {std::string(256, 'x')};
    EXPECT_THROW(TlsContext::client(client), std::invalid_argument);
    client = client_options();
    client.handshake_timeout = 0s;
    EXPECT_THROW(TlsContext::client(client), std::invalid_argument);
    client = client_options();
    client.oldest = TlsVersion::v1_3;
    client.newest = TlsVersion::v1_2;
    EXPECT_THROW(TlsContext::client(client), std::invalid_argument);
    TlsServerOptions server = server_options();
    server.client_certificate = TlsClientCertificate::required;
    EXPECT_THROW(TlsContext::server(server), std::invalid_argument) << "who vouches for them?";
    server = server_options();
    server.roots = authority().root();
    EXPECT_THROW(TlsContext::server(server), std::invalid_argument);
  });
}

TEST_F(TlsContextTest, AContextIsForOneSide) {
  run([] {
    const TlsContext client = TlsContext::client(client_options());
    const TlsContext server = TlsContext::server(server_options());
    EXPECT_TRUE(client.is_client());
    EXPECT_FALSE(server.is_client());
    TcpPair tcp = make_tcp_pair();
    EXPECT_THROW(TlsStream::connect(std::move(tcp.client), "example.org", server),
                 std::invalid_argument);
    EXPECT_THROW(TlsStream::accept(std::move(tcp.server), client), std::invalid_argument);
  });
}

TEST_F(TlsContextTest, ACopyOutlivesItsOriginalAndServesOtherThreads) {
  run([] {
    std::optional<TlsContext> client = TlsContext::client(client_options());
    std::optional<TlsContext> server = TlsContext::server(server_options());
    const auto talk = [copies = std::pair{*client, *server}] {
      return asyncio::run([&] {
        for (int i = 0; i < 10; ++i) {
          TlsPair pair = make_tls_pair(copies.first, copies.second);
          pair.server.write_all("hello");
          if (read_exactly(pair.client, 5) != "hello") return false;
        }
        return true;
      });
    };
    client.reset();
    server.reset();
    // Two loops share the sessions, too.
    auto one = create_task([&] { return to_thread(talk); });
    auto other = create_task([&] { return to_thread(talk); });
    EXPECT_TRUE(await(one));
    EXPECT_TRUE(await(other));
  });
}

}  // namespace
}  // namespace asyncio::test

// Beside other implementations and programs: they understand each other.
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <sys/stat.h>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tests/io/tcp_pair.h>
#include <asyncio/tests/io/temporary_folder.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/tls/programs.h>
#include <asyncio/tests/tls/tls_pair.h>
#include <asyncio/tls/all.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class TlsProgramsTest : public LoopTest {
 protected:
  TlsProgramsTest() {
    real_time();  // theirs is
    put("root.pem", authority().root());
    put("certificate.pem", example_identity().certificates);
    put("key.pem", example_identity().key);
  }

  void put(const std::string& name, const std::string& content) {
    std::ofstream{folder.file(name)} << content;
  }
  static TlsContext client_of(TlsVersion version) {
    TlsClientOptions with = client_options();
    with.oldest = with.newest = version;
    return TlsContext::client(with);
  }

  TemporaryFolder folder;
};

/// Answers one request of HTTP's.
void answer_request(TlsStream& stream, const std::string& body) {
  BufferedReader reader{stream};
  while (const auto line = reader.read_line()) {
    if (line->empty() || *line == "\r") break;
  }
  stream.write_all("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
                   std::to_string(body.size()) + "\r\n\r\n" + body);
}

TEST_F(TlsProgramsTest, CurlIsServed) {
  run([&] {
    if (!is_installed("curl")) GTEST_SKIP() << "there is no curl";
    TcpListener listener = TcpListener::bind(loopback());
    const std::string port = std::to_string(listener.local().port());
    const std::string body = pattern(300'000);
    TlsServerOptions with = server_options();
    with.alpn = {"http/1.1"};
    std::vector<TlsVersion> versions;
    Server server{std::move(listener), over_tls(TlsContext::server(with), [&](TlsStream& stream) {
                    versions.push_back(stream.version());
                    EXPECT_EQ("http/1.1", stream.alpn());
                    EXPECT_EQ("example.org", stream.server_name());
                    answer_request(stream, body);
                  })};
    for (const char* version : {"--tlsv1.2 --tls-max 1.2", "--tlsv1.3"}) {
      EXPECT_TRUE(body == output_of("curl -sS -m 20 " + std::string{version} + " --cacert " +
                                    folder.file("root.pem") + " --resolve example.org:" + port +
                                    ":127.0.0.1 https://example.org:" + port + "/ 2>&1"))
          << version;
    }
    EXPECT_EQ((std::vector<TlsVersion>{TlsVersion::v1_2, TlsVersion::v1_3}), versions);
    EXPECT_TRUE(server.drain(5s));
  });
}

TEST_F(TlsProgramsTest, OpensslsClientIsServed) {
  run([&] {
    if (!is_installed("openssl")) GTEST_SKIP() << "there is no openssl";
    TcpListener listener = TcpListener::bind(loopback());
    const std::string port = std::to_string(listener.local().port());
    Server server{std::move(listener),
                  over_tls(TlsContext::server(server_options()), [](TlsStream& stream) {
                    BufferedReader reader{stream};
                    const auto line = reader.read_line();
                    stream.write_all("you say: " + std::string{line.value_or("nothing")} + "\n");
                  })};
    for (const char* version : {"-tls1_2", "-tls1_3"}) {
      EXPECT_EQ("you say: hello\n",
                output_of("echo hello | openssl s_client -quiet -verify_return_error "
                          "-verify_hostname example.org -servername example.org -CAfile " +
                          folder.file("root.pem") + " -connect 127.0.0.1:" + port + " " + version +
                          " 2>" + folder.file("said")));
    }
    EXPECT_TRUE(server.drain(5s));
  });
}

TEST_F(TlsProgramsTest, OpensslsServerIsUnderstood) {
  run([&] {
    if (!is_installed("openssl")) GTEST_SKIP() << "there is no openssl";
    const Endpoint at = loopback(free_port());
    const Program server{{"openssl", "s_server", "-accept", at.to_string(), "-rev", "-cert",
                          folder.file("certificate.pem"), "-key", folder.file("key.pem")},
                         folder.file("log")};
    for (const TlsVersion version : both_versions) {
      TlsStream stream =
          TlsStream::connect(connect_when_ready(at), "example.org", client_of(version));
      EXPECT_EQ(version, stream.version());
      stream.write_all("hello\n");
      EXPECT_EQ("olleh\n", read_exactly(stream, 6));
      stream.write_all("again\n");
      EXPECT_EQ("niaga\n", read_exactly(stream, 6));
      stream.close();
    }
  });
}

TEST_F(TlsProgramsTest, NginxIsUnderstood) {
  run([&] {
    if (!is_installed("nginx")) GTEST_SKIP() << "there is no nginx";
    const Endpoint at = loopback(free_port());
    const std::string body = pattern(3'000'000);
    ::chmod(folder.file("").c_str(), 0755);
    ::mkdir(folder.file("www").c_str(), 0755);
    put("www/body", body);
    put("nginx.conf", "daemon off; master_process off; pid " + folder.file("pid") +
                          ";\n"
                          "error_log stderr;\n"
                          "events {}\n"
                          "http {\n"
                          "  access_log off;\n"
                          "  client_body_temp_path " +
                          folder.file("body") +
                          ";\n"
                          "  proxy_temp_path " +
                          folder.file("proxy") +
                          ";\n"
                          "  fastcgi_temp_path " +
                          folder.file("fastcgi") +
                          ";\n"
                          "  uwsgi_temp_path " +
                          folder.file("uwsgi") +
                          ";\n"
                          "  scgi_temp_path " +
                          folder.file("scgi") +
                          ";\n"
                          "  server {\n"
                          "    listen " +
                          at.to_string() +
                          " ssl;\n"
                          "    ssl_protocols TLSv1.2 TLSv1.3;\n"
                          "    ssl_certificate " +
                          folder.file("certificate.pem") +
                          ";\n"
                          "    ssl_certificate_key " +
                          folder.file("key.pem") +
                          ";\n"
                          "    ssl_session_cache shared:tests:1m;\n"
                          "    root " +
                          folder.file("www") +
                          ";\n"
                          "  }\n"
                          "}\n");
    const Program server{
        {"nginx", "-p", folder.file(""), "-c", folder.file("nginx.conf"), "-e", "stderr"},
        folder.file("log")};
    for (const TlsVersion version : both_versions) {
      const TlsContext context = client_of(version);
      for (const bool again : {false, true}) {
        TlsStream stream = TlsStream::connect(connect_when_ready(at), "example.org", context);
        EXPECT_EQ(version, stream.version());
        EXPECT_EQ(again, stream.resumed());
        stream.write_all("GET /body HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n");
        const std::string answer = read_to_end(stream);
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer.substr(0, 200);
        EXPECT_TRUE(answer.ends_with("\r\n\r\n" + body));
        stream.close();
      }
    }
  });
}

}  // namespace
}  // namespace asyncio::test

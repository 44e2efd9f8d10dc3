// Greets whoever comes, over TLS.
//
//   https_server CERTIFICATE KEY [PORT]       then: curl --cacert … https://localhost:PORT/
//
// SIGINT and SIGTERM end it gently.
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>
#include <utility>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>
#include <asyncio/tls/all.h>

namespace {

using namespace std::chrono_literals;

/// Reads one request, whatever it asks for, and answers it.
void greet(asyncio::TlsStream& stream, asyncio::Server& server) {
  asyncio::BufferedReader reader(stream, 8192);
  const auto request = server.idle([&] { return reader.read_until("\r\n\r\n"); });
  if (!request) return;  // the server ends
  const std::string page = "Hello over TLS, " + stream.peer().address().to_string() + "!\n";
  stream.write_all("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " +
                   std::to_string(page.size()) + "\r\n\r\n" + page);
  // The stream is closed behind it, so that the client gets all of it.
}

void run_server(const asyncio::TlsServerOptions& options, std::uint16_t port) {
  const auto context = asyncio::TlsContext::server(options);
  auto listener = asyncio::TcpListener::bind({asyncio::IpAddress::loopback_v4(), port});
  std::printf("listening on %s\n", listener.local().to_string().c_str());
  std::fflush(stdout);
  asyncio::Server server(std::move(listener), asyncio::over_tls(context, &greet));
  asyncio::wait_signal({SIGINT, SIGTERM});
  server.drain(5s);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3) {
    std::fputs("usage: https_server CERTIFICATE KEY [PORT]\n", stderr);
    return 2;
  }
  asyncio::TlsServerOptions options;
  options.identity = asyncio::TlsIdentity::from_files(argv[1], argv[2]);
  options.alpn = {"http/1.1"};
  const int port = argc > 3 ? std::stoi(argv[3]) : 0;
  asyncio::RunOptions run_options;
  run_options.handle_sigint = false;  // the server handles it itself
  asyncio::run([&] { run_server(options, static_cast<std::uint16_t>(port)); }, run_options);
} catch (const std::exception& error) {
  std::fprintf(stderr, "https_server: %s\n", error.what());
  return 1;
}

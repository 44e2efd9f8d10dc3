// A TCP proxy: passes each connection on to a target, both ways, until both sides have ended.
//
//   tcp_proxy [--port 0] --to 127.0.0.1:80
#include <getopt.h>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>

namespace {

void pass_on(asyncio::TcpStream& client, const asyncio::Endpoint& to) {
  try {
    auto target = asyncio::TcpStream::connect(to);
    asyncio::copy_both(client, target);
  } catch (const asyncio::IoError& error) {
    // One side has broken off, and so does the other now.
    std::fprintf(stderr, "tcp_proxy: %s\n", error.what());
  }
}

void run_proxy(std::uint16_t port, const asyncio::Endpoint& to) {
  auto listener = asyncio::TcpListener::bind({asyncio::IpAddress::loopback_v4(), port});
  std::printf("listening on %s\n", listener.local().to_string().c_str());
  std::fflush(stdout);
  const asyncio::Server server(std::move(listener),
                               [&](asyncio::TcpStream& client) { pass_on(client, to); });
  asyncio::wait_signal({SIGINT, SIGTERM});
}

}  // namespace

int main(int argc, char** argv) try {
  const option names[] = {{"port", required_argument, nullptr, 'p'},
                          {"to", required_argument, nullptr, 't'},
                          {nullptr, 0, nullptr, 0}};
  int port = 0;
  std::optional<asyncio::Endpoint> to;
  for (int name = 0; (name = ::getopt_long(argc, argv, "", names, nullptr)) != -1;) {
    if (name == 'p') port = std::stoi(optarg);
    if (name == 't') to = asyncio::Endpoint::parse(optarg);
  }
  if (!to || port < 0 || port > 65535) {
    std::fputs("usage: tcp_proxy [--port 0..65535] --to ADDRESS:PORT\n", stderr);
    return 2;
  }
  asyncio::RunOptions options;
  options.handle_sigint = false;  // the proxy handles it itself
  asyncio::run([&] { run_proxy(static_cast<std::uint16_t>(port), *to); }, options);
} catch (const std::exception& error) {
  std::fprintf(stderr, "tcp_proxy: %s\n", error.what());
  return 1;
}

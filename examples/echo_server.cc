// A TCP echo server on 127.0.0.1: one task for each connection, written as if calls could block.
//
//   echo_server [--port 0] [--backend auto|ev|event|select]
//
// Ends cleanly on SIGINT or SIGTERM and then prints what it has served.
#include <getopt.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <span>
#include <string>
#include <utility>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>

namespace {

struct Served {
  std::uint64_t requests = 0;
  std::uint64_t connections = 0;
};

/// The life of one connection.
void echo(asyncio::TcpStream& stream, Served& served) {
  ++served.connections;
  try {
    for (;;) {
      stream.wait_readable();
      // On the stack only while there is something to read and write: an idle connection has
      // touched no more of its stack than waiting takes.
      std::array<std::byte, 2048> buffer;
      const std::size_t got = stream.read_some(buffer);
      if (got == 0) return;
      stream.write_all(asyncio::ConstBytes{buffer}.first(got));
      ++served.requests;
    }
  } catch (const asyncio::IoError&) {
    // The peer has broken off: as good as an end.
  }
}

void run_server(std::uint16_t port, Served& served) {
  auto listener = asyncio::TcpListener::bind({asyncio::IpAddress::loopback_v4(), port});
  std::printf("listening on %s\n", listener.local().to_string().c_str());
  std::fflush(stdout);
  const asyncio::Server server(std::move(listener),
                               [&](asyncio::TcpStream& stream) { echo(stream, served); });
  asyncio::wait_signal({SIGINT, SIGTERM});
  // The server goes, and cancels the connections, which closes their sockets.
}

}  // namespace

int main(int argc, char** argv) try {
  const option names[] = {{"port", required_argument, nullptr, 'p'},
                          {"backend", required_argument, nullptr, 'b'},
                          {nullptr, 0, nullptr, 0}};
  int port = 0;
  asyncio::RunOptions options;
  options.handle_sigint = false;  // the server handles it itself
  for (int name = 0; (name = ::getopt_long(argc, argv, "", names, nullptr)) != -1;) {
    if (name == 'p') port = std::stoi(optarg);
    if (name == 'b') options.backend = optarg;
    if (name == '?' || port < 0 || port > 65535) {
      std::fputs("usage: echo_server [--port 0..65535] [--backend NAME]\n", stderr);
      return 2;
    }
  }
  Served served;
  asyncio::run([&] { run_server(static_cast<std::uint16_t>(port), served); }, options);
  std::printf("served requests=%llu connections=%llu cpu_seconds=%.3f\n",
              static_cast<unsigned long long>(served.requests),
              static_cast<unsigned long long>(served.connections),
              static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
} catch (const std::exception& error) {
  std::fprintf(stderr, "echo_server: %s\n", error.what());
  return 1;
}

// A TCP echo server on 127.0.0.1: one task for each connection, written as if calls could block.
//
//   echo_server [--port 0] [--backend auto|ev|event|select]
//
// Ends cleanly on SIGINT or SIGTERM and then prints what it has served.
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <asyncio/asyncio.h>

namespace {

using namespace std::chrono_literals;

/// A descriptor that is closed with its owner, whether by return, exception or cancellation.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Fd() {
    if (fd_ < 0) return;
    asyncio::notify_closing(fd_);  // the loop forgets the number before the kernel reuses it
    ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

struct Server {
  std::uint64_t requests = 0;
  std::uint64_t connections = 0;
  // One receive buffer for all.  Nobody else runs between recv and send, because neither suspends;
  // so an idle connection costs its stack and no buffer.
  char buffer[65536];
};

/// Returns false if the peer is gone.
bool send_all(int fd, std::string_view data) {
  std::string rest;
  for (;;) {
    const ssize_t sent = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return false;
    if (sent > 0) data.remove_prefix(static_cast<std::size_t>(sent));
    if (data.empty()) return true;
    // The peer reads more slowly than it writes.  Now we do suspend, and the shared buffer will be
    // somebody else's: keep what is left.
    if (rest.empty()) data = rest = std::string(data);
    asyncio::wait_writable(fd);
  }
}

/// The life of one connection.
void serve(int fd, Server& server) {
  for (;;) {
    // Wait first: a recv tried before would mostly find nothing, at the price of a system call.
    asyncio::wait_readable(fd);
    const ssize_t got = ::recv(fd, server.buffer, sizeof(server.buffer), 0);
    if (got < 0 && errno == EAGAIN) continue;
    if (got <= 0) return;
    if (!send_all(fd, {server.buffer, static_cast<std::size_t>(got)})) return;
    ++server.requests;
  }
}

/// Starts a task for every connection, until it is cancelled.
void accept_connections(int listener, Server& server) {
  auto pause = 10ms;
  auto quiet_until = asyncio::Clock::now();
  for (;;) {
    asyncio::wait_readable(listener);
    for (int i = 0; i < 64; ++i) {  // then the connections there are get their turn
      const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd >= 0) {
        asyncio::create_task([socket = Fd(fd), &server] { serve(socket.get(), server); });
        ++server.connections;
        pause = 10ms;
        continue;
      }
      if (errno == EAGAIN) break;
      if (errno == ECONNABORTED) continue;
      // Out of descriptors or memory (EMFILE, ENFILE, ENOBUFS, ENOMEM).  The listener stays
      // readable, so to wait for it would be to spin: step back while connections go on and end.
      if (asyncio::Clock::now() >= quiet_until) {
        std::perror("echo_server: out of resources, will try again: accept");
        quiet_until = asyncio::Clock::now() + 10s;
      }
      asyncio::sleep(pause);
      pause = std::min(2 * pause, 1000ms);
      break;
    }
  }
}

/// Opens the listening socket and says where it is.
Fd listen_on(int port) {
  Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int fd = listener.get();
  const int on = 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  if (fd < 0 || ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      // Connections inherit it.  Without it a reply may wait until the last one is acknowledged.
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
      ::bind(fd, generic, size) != 0 || ::listen(fd, SOMAXCONN) != 0 ||
      ::getsockname(fd, generic, &size) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot listen");
  }
  std::printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return listener;
}

void run_server(int port, Server& server) {
  const auto accepting = asyncio::create_task(
      [listener = listen_on(port), &server] { accept_connections(listener.get(), server); });
  asyncio::create_task([accepting] {
    asyncio::wait_signal({SIGINT, SIGTERM});
    accepting.cancel();
  });
  try {
    asyncio::await(accepting);
  } catch (const asyncio::TaskCancelledException&) {
    // Asked to stop.  As main ends, run() cancels the connections, which closes their sockets.
  }
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
  Server server;
  asyncio::run([&] { run_server(port, server); }, options);
  std::printf("served requests=%llu connections=%llu cpu_seconds=%.3f\n",
              static_cast<unsigned long long>(server.requests),
              static_cast<unsigned long long>(server.connections),
              static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
} catch (const std::exception& error) {
  std::fprintf(stderr, "echo_server: %s\n", error.what());
  return 1;
}

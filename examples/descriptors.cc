// Waiting for file descriptors: two tasks talk over a pair of sockets, and one gives up waiting.
// Prints the conversation.
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>

#include <asyncio/asyncio.h>

using namespace std::chrono_literals;

// Waits, then reads once: an earlier read would mostly find nothing.
std::string receive(int fd) {
  char buffer[64];
  asyncio::wait_readable(fd);
  const auto got = ::recv(fd, buffer, sizeof(buffer), 0);
  return {buffer, got > 0 ? static_cast<std::size_t>(got) : 0};
}

void send(int fd, std::string_view text) {
  asyncio::wait_writable(fd);
  if (::send(fd, text.data(), text.size(), MSG_NOSIGNAL) < 0) throw std::runtime_error("send");
}

int main() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) return 1;
  const int here = fds[0], there = fds[1];

  asyncio::run([&] {
    const auto peer = asyncio::create_task([there] {
      const std::string question = receive(there);
      std::cout << "peer got: " << question << '\n';
      send(there, "pong");
    });
    send(here, "ping");
    const std::string answer = receive(here);
    std::cout << "main got: " << answer << '\n';
    asyncio::await(peer);

    // With a limit it returns false if the time runs out; zero just looks.
    if (!asyncio::wait_readable(here, 5ms)) std::cout << "nothing more to read\n";

    // One task at a time may wait on one descriptor and direction.
    const auto waiting = asyncio::create_task([here] { asyncio::wait_readable(here); });
    asyncio::yield();
    try {
      asyncio::wait_readable(here);
    } catch (const asyncio::BusyError&) {
      std::cout << "another task waits already\n";
    }

    // Announce the close first: waiting tasks hear of it at once, and the number can be reused.
    asyncio::notify_closing(here);
    ::close(here);
    try {
      asyncio::await(waiting);
    } catch (const asyncio::ClosedError&) {
      std::cout << "the waiting task was told of the close\n";
    }
  });
  ::close(there);
}

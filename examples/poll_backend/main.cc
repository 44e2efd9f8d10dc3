// A program with its own backend: registers it, and runs tasks on it.
// Prints what woke them.
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <iostream>
#include <string>
#include <thread>

#include <asyncio/asyncio.h>

#include "poll_backend.h"

using namespace std::chrono_literals;

namespace {

std::string receive(int fd) {
  char buffer[64];
  asyncio::wait_readable(fd);
  const auto got = ::recv(fd, buffer, sizeof(buffer), 0);
  return {buffer, got > 0 ? static_cast<std::size_t>(got) : 0};
}

void descriptors() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) return;
  const auto peer = asyncio::create_task([there = fds[1]] {
    asyncio::wait_writable(there);
    ::send(there, "hello", 5, MSG_NOSIGNAL);
    asyncio::notify_closing(there);
    ::close(there);
  });
  std::cout << "data: " << receive(fds[0]) << '\n';
  std::cout << "hang-up: " << receive(fds[0]).size() << " bytes\n";
  std::cout << "level-triggered: " << (asyncio::wait_readable(fds[0], 0s) ? "ready" : "silent")
            << '\n';
  asyncio::await(peer);
  asyncio::notify_closing(fds[0]);
  ::close(fds[0]);
}

void timers() {
  const auto start = asyncio::Clock::now();
  asyncio::sleep(1500us);
  const auto slept = asyncio::Clock::now() - start;
  std::cout << "timer: " << (slept >= 1500us ? "not early" : "early") << '\n';
}

void threads() {
  const auto message = asyncio::create_future<std::string>();
  std::thread stranger([loop = asyncio::get_event_loop().handle(), message] {
    loop.call_soon_threadsafe([message] { message.set_result("hello"); });
  });
  std::cout << "thread: " << asyncio::await(message) << '\n';
  stranger.join();
}

void signals() {
  const auto signal = asyncio::create_task([] { return asyncio::wait_signal({SIGUSR1}); });
  asyncio::yield();  // now it is waiting
  std::raise(SIGUSR1);
  std::cout << "signal: " << (asyncio::await(signal) == SIGUSR1 ? "SIGUSR1" : "another") << '\n';
}

}  // namespace

int main() {
  // Once, and before the first loop that uses it.
  asyncio::register_backend(third_party::poll_backend());

  asyncio::RunOptions options;
  options.backend = "poll";
  asyncio::run(
      [] {
        std::cout << "backend: " << asyncio::get_event_loop().backend().type() << '\n';
        descriptors();
        timers();
        threads();
        signals();
      },
      options);

  // A name stands for one backend, for the rest of the process.
  try {
    asyncio::register_backend(third_party::poll_backend());
  } catch (const asyncio::BackendError& error) {
    std::cout << error.what() << '\n';
  }
}

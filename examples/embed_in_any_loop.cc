// A program with a loop of its own around poll(2), with tasks in it.  GLib, Qt or an epoll loop
// would watch the descriptor likewise: with g_unix_fd_add, a QSocketNotifier, EPOLL_CTL_ADD.
#include <array>
#include <chrono>
#include <iostream>
#include <string>

#include <poll.h>
#include <unistd.h>

#include <asyncio/asyncio.h>

namespace {

using namespace std::chrono_literals;

std::string read_line(int fd) {
  std::array<char, 64> buffer{};
  const auto size = ::read(fd, buffer.data(), buffer.size());
  return {buffer.data(), static_cast<std::size_t>(size > 0 ? size : 0)};
}

}  // namespace

int main() {
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) return 1;

  asyncio::EventLoop loop{asyncio::attach_by_descriptor()};
  loop.create_task([&] {
    asyncio::sleep(10ms);
    std::cout << "a task, written as if it could block\n";
    if (::write(pipe[1], "what the task wrote", 19) != 19) throw std::runtime_error("write");
    asyncio::sleep(10ms);
  });

  while (loop.native_handle().alive) {
    std::array<pollfd, 2> watched{{{loop.native_handle().fd, POLLIN, 0}, {pipe[0], POLLIN, 0}}};
    ::poll(watched.data(), watched.size(), -1);
    if (watched[0].revents != 0) loop.process();
    if (watched[1].revents != 0) std::cout << "the program read: " << read_line(pipe[0]) << '\n';
  }
  loop.shutdown();
  for (const int fd : pipe) ::close(fd);
}

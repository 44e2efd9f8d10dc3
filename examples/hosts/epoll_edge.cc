// A program whose loop is told of changes only (EPOLLET), with tasks in it.
//
// Such a loop goes on with what has changed until nothing is left, and only then waits for the next
// change.  So it does with the guest: what a task has left unread is no change.
#include <array>
#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <asyncio/asyncio.h>

namespace {

using namespace std::chrono_literals;

bool is_readable(int fd) {
  pollfd polled{fd, POLLIN, 0};
  return ::poll(&polled, 1, 0) == 1;
}

}  // namespace

int main() {
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) return 1;
  asyncio::EventLoop loop{asyncio::attach_by_descriptor()};
  loop.create_task([&] {
    std::string all;
    for (char letter = 0; letter != '!'; all += letter) {
      asyncio::wait_readable(pipe[0]);
      if (::read(pipe[0], &letter, 1) != 1) throw std::runtime_error("read");
    }
    std::cout << all << '\n';
  });
  loop.create_task([&] {
    asyncio::sleep(10ms);
    if (::write(pipe[1], "one letter at a time!", 21) != 21) throw std::runtime_error("write");
  });

  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event changed{EPOLLIN | EPOLLET, {.fd = loop.native_handle().fd}};
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, changed.data.fd, &changed) != 0) return 1;
  while (loop.native_handle().alive) {
    const bool goes_on = is_readable(loop.native_handle().fd);
    epoll_event event{};
    const int count = ::epoll_wait(epoll, &event, 1, goes_on ? 0 : -1);
    if (goes_on || count == 1) loop.process();
  }
  loop.shutdown();
  for (const int fd : pipe) ::close(fd);
  ::close(epoll);
}

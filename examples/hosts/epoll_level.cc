// A program with a loop of its own around epoll(7), with tasks in it.
#include <chrono>
#include <iostream>
#include <stdexcept>

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <asyncio/asyncio.h>

namespace {

using namespace std::chrono_literals;

void watch(int epoll, int fd) {
  epoll_event event{EPOLLIN, {.fd = fd}};
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) throw std::runtime_error("epoll_ctl");
}

}  // namespace

int main() {
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  const int bell = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);  // the program's own
  watch(epoll, bell);

  asyncio::EventLoop loop{asyncio::attach_by_descriptor()};
  loop.create_task([&] {
    asyncio::sleep(10ms);
    std::cout << "a task rings the program's bell\n";
    if (::eventfd_write(bell, 1) != 0) throw std::runtime_error("eventfd_write");
    asyncio::sleep(10ms);
    std::cout << "and ends\n";
  });

  watch(epoll, loop.native_handle().fd);
  while (loop.native_handle().alive) {
    epoll_event event{};
    if (::epoll_wait(epoll, &event, 1, -1) != 1) continue;
    if (event.data.fd == loop.native_handle().fd) {
      loop.process();
    } else if (eventfd_t rings = 0; ::eventfd_read(bell, &rings) == 0) {
      std::cout << "the program hears it\n";
    }
  }
  loop.shutdown();
  ::close(bell);
  ::close(epoll);
}

// A program that becomes a daemon when its loop has tasks already.
//
// It is simpler to attach after the fork.  Where that cannot be, both processes have the loop then,
// and only one may go on with it: the child calls after_fork(), and the parent abandon().
#include <chrono>
#include <iostream>

#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asyncio/asyncio.h>

namespace {

using namespace std::chrono_literals;

struct Session {
  ~Session() { std::cout << "the session says goodbye" << std::endl; }
};

void run(asyncio::EventLoop& loop) {
  while (loop.native_handle().alive) {
    pollfd watched{loop.native_handle().fd, POLLIN, 0};
    ::poll(&watched, 1, -1);
    loop.process();
  }
}

}  // namespace

int main() {
  asyncio::EventLoop loop{asyncio::attach_by_descriptor()};
  loop.create_task([] {
    const Session session;
    asyncio::sleep(10ms);
    std::cout << "the task goes on in the daemon" << std::endl;
  });
  loop.process();  // the task begins

  const ::pid_t child = ::fork();
  if (child == 0) {
    loop.after_fork();
    run(loop);
    loop.shutdown();
    return 0;
  }
  loop.abandon();  // otherwise the session would say goodbye here, too
  int status = 0;
  ::waitpid(child, &status, 0);  // only so that the order of the output is certain
  std::cout << "the parent unwinds nothing" << std::endl;
  return status;
}

// A program that runs libevent, with tasks in it.
#include <chrono>
#include <iostream>

#include <asyncio/asyncio.h>
#include <asyncio/backends/libevent.h>

namespace {

using namespace std::chrono_literals;

struct Program {
  event_base* host;
  asyncio::EventLoop& loop;
};

// A callback of the program's own, which starts a task.
void on_request(evutil_socket_t /*fd*/, short /*what*/, void* argument) {
  const auto& program = *static_cast<Program*>(argument);
  std::cout << "a request\n";
  program.loop.create_task([&program] {
    asyncio::sleep(10ms);
    std::cout << "its answer, from a task\n";
    event_base_loopbreak(program.host);  // otherwise it would go on forever
  });
}

}  // namespace

int main() {
  event_base* host = event_base_new();
  asyncio::EventLoop loop{asyncio::attach(host)};
  loop.create_task([] {
    try {
      asyncio::sleep(1h);
    } catch (const asyncio::Cancelled& cancelled) {
      std::cout << "unwound: " << asyncio::to_string(cancelled.reason()) << '\n';
      throw;
    }
  });

  Program program{host, loop};
  const timeval soon{0, 1'000};
  event_base_once(host, -1, EV_TIMEOUT, on_request, &program, &soon);
  event_base_dispatch(host);
  std::cout << "the program has stopped its loop\n";

  loop.shutdown();  // the task that still sleeps is cancelled, and waited for
  event_base_free(host);
}

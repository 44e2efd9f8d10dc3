// A program that runs libevent, with tasks in it.
#include <chrono>
#include <iostream>

#include <asyncio/asyncio.h>
#include <asyncio/backends/libevent.h>

namespace {

using namespace std::chrono_literals;

// A callback of the program's own, which starts a task.
void on_request(evutil_socket_t /*fd*/, short /*what*/, void* argument) {
  auto& loop = *static_cast<asyncio::EventLoop*>(argument);
  std::cout << "a request\n";
  loop.create_task([] {
    asyncio::sleep(10ms);
    std::cout << "its answer, from a task\n";
  });
}

// Stops what would go on for ever.
void on_timeout(evutil_socket_t /*fd*/, short /*what*/, void* argument) {
  std::cout << "the program stops its loop\n";
  event_base_loopbreak(static_cast<event_base*>(argument));
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

  const timeval soon{0, 1'000};
  const timeval later{0, 50'000};
  event_base_once(host, -1, EV_TIMEOUT, on_request, &loop, &soon);
  event_base_once(host, -1, EV_TIMEOUT, on_timeout, host, &later);
  event_base_dispatch(host);

  loop.shutdown();  // the task that still sleeps is cancelled, and waited for
  event_base_free(host);
}

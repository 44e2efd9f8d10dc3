// Event, Barrier and Future: tasks that wait for a moment, for each other, or for a result.
// Prints one line for each.
#include <chrono>
#include <iostream>
#include <string>

#include <asyncio/asyncio.h>

using namespace std::chrono_literals;
using asyncio::TaskGroup;

void with_an_event() {
  asyncio::Event started;
  TaskGroup::run([&](TaskGroup& group) {
    group.spawn([&] {
      started.wait();
      std::cout << "go\n";
    });
    asyncio::sleep(1ms);
    std::cout << "event: ready, steady, ";
    started.set();  // wakes every waiter; a later wait() returns at once
  });
}

void with_a_barrier() {
  asyncio::Barrier all_here{3};
  int arrived = 0;
  TaskGroup::run([&](TaskGroup& group) {
    for (int i = 0; i < 3; ++i) {
      group.spawn([&] {
        ++arrived;
        if (all_here.wait() == 0) std::cout << "barrier: first of " << arrived << '\n';
      });
    }
  });
}

void with_a_future() {
  // A result that something else will set: here, a callback.
  const auto answer = asyncio::create_future<std::string>();
  asyncio::call_later(1ms, [answer] { answer.set_result("set by a timer"); });
  std::cout << "future: " << asyncio::await(answer) << '\n';
}

int main() {
  asyncio::run([] {
    with_an_event();
    with_a_barrier();
    with_a_future();
  });
}

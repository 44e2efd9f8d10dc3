// Your own EventLoop: timers, callbacks and tasks, and several runs of one loop.
// Prints three ticks, what came before and after them, and a task that ran in steps.
#include <chrono>
#include <iostream>
#include <stdexcept>

#include <asyncio/asyncio.h>

using namespace std::chrono_literals;

int main() {
  asyncio::EventLoop loop;  // on the backend that "auto" chooses
  asyncio::Event enough;

  int ticks = 0;
  asyncio::TimerId ticker;
  ticker = loop.add_timer(2ms, [&] {
    std::cout << "tick\n";
    if (++ticks < 3) return;
    loop.del_timer(ticker);
    enough.set();
  });
  loop.call_soon([&] {
    // A callback cannot wait, since it runs on the loop's own stack.  It starts a task for that.
    std::cout << "callback\n";
    loop.create_task([&] {
      enough.wait();
      std::cout << "task: that was enough\n";
    });
  });
  loop.run();  // until nothing is left: no task, no timer, no callback
  std::cout << "nothing left\n";

  // A callback's exception ends the run, if no exception handler is set.  The loop stays usable.
  loop.call_soon([] { throw std::runtime_error("thrown by a callback"); });
  try {
    loop.run();
  } catch (const std::runtime_error& error) {
    std::cout << error.what() << '\n';
  }

  // With a body, it runs that as a task and ends with it.
  const int result = loop.run([] {
    asyncio::sleep(1ms);
    return 42;
  });
  std::cout << "result: " << result << '\n';

  // Step by step, for a program that has a loop of its own around this one.
  loop.add_timer(1h, [] {}, {.background = true});  // keeps no run waiting
  loop.create_task([] {
    asyncio::sleep(1ms);
    std::cout << "in steps\n";
  });
  while (loop.run_once()) {  // waits if nothing is ready, which run_ready() never does
    // The program's own work.
  }
}

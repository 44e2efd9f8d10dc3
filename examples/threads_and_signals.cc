// What comes from outside the loop: results of worker threads, calls from other threads, signals.
// Prints one line for each.
#include <chrono>
#include <csignal>
#include <iostream>
#include <string>
#include <thread>

#include <asyncio/asyncio.h>

using namespace std::chrono_literals;

int main() {
  asyncio::run([] {
    // A call that blocks its thread belongs on another one.  Only the task waits for it.
    const int answer = asyncio::to_thread([] {
      std::this_thread::sleep_for(5ms);
      return 42;
    });
    std::cout << "to_thread: " << answer << '\n';

    // Your own thread talks to the loop through a handle, and through nothing else.
    const auto message = asyncio::create_future<std::string>();
    std::thread stranger([loop = asyncio::get_event_loop().handle(), message] {
      loop.call_soon_threadsafe([message] { message.set_result("hello from outside"); });
    });
    std::cout << "posted: " << asyncio::await(message) << '\n';
    stranger.join();

    // A signal wakes a task.
    const auto signal = asyncio::create_task([] {
      return asyncio::wait_signal({SIGUSR1, SIGUSR2});
    });
    asyncio::yield();  // now it is waiting
    std::raise(SIGUSR1);
    std::cout << "signal: " << (asyncio::await(signal) == SIGUSR1 ? "SIGUSR1" : "SIGUSR2") << '\n';
  });
}

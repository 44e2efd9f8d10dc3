// Several tasks at once: gather their results, and give up on one that takes too long.
// Prints both answers, in the order of the questions, and that the third one never came.
#include <chrono>
#include <iostream>
#include <string>

#include <asyncio/asyncio.h>

using namespace std::chrono_literals;

// Stands for a request to another server.  It reads like blocking code, but only the task waits.
std::string fetch(const std::string& name, asyncio::Duration takes) {
  asyncio::sleep(takes);
  return "answer from " + name;
}

int main() {
  asyncio::run([] {
    // Both run side by side: this takes 200 ms, not 300.
    auto near = asyncio::create_task([] { return fetch("near", 100ms); });
    auto far = asyncio::create_task([] { return fetch("far", 200ms); });
    auto [first, second] = asyncio::gather(near, far);
    std::cout << first << ", " << second << '\n';

    // A task that takes too long is cancelled, and has ended before the exception arrives.
    try {
      std::cout << asyncio::wait_for([] { return fetch("nowhere", 1h); }, 50ms) << '\n';
    } catch (const asyncio::TimeoutException&) {
      std::cout << "gave up on nowhere\n";
    }
  });
}

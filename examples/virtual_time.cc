// A test clock: time that stands still while anything can run, and jumps when nothing can.
// Prints how long three attempts take, measured in no time at all.
#include <chrono>
#include <iostream>
#include <stdexcept>

#include <asyncio/asyncio.h>
#include <asyncio/core/test_clock.h>

using namespace std::chrono_literals;

// The code under test: it knows nothing of the clock.
template <class F>
auto retry(int attempts, asyncio::Duration pause, F&& request) {
  for (;; pause *= 2) {
    try {
      return asyncio::wait_for(request, 30s);
    } catch (const asyncio::TimeoutException&) {
      if (--attempts == 0) throw;
    }
    asyncio::sleep(pause);
  }
}

int main() {
  asyncio::TestClock clock;
  asyncio::RunOptions options;
  options.clock = &clock;

  asyncio::run(
      [&] {
        try {
          retry(3, 1min, [] { asyncio::sleep(1h); });  // a server that hangs
        } catch (const asyncio::TimeoutException&) {
          const auto elapsed = std::chrono::duration_cast<std::chrono::seconds>(clock.elapsed());
          std::cout << "gave up after " << elapsed.count() << " s\n";  // 30 + 60 + 30 + 120 + 30
        }
      },
      options);
}

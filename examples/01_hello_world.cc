// The smallest program: a task that waits without blocking its thread.
// Prints two lines, a moment apart.
#include <chrono>
#include <iostream>

#include <asyncio/asyncio.h>

int main() {
  using namespace std::chrono_literals;

  asyncio::run([] {
    std::cout << "Hello,\n";
    asyncio::sleep(100ms);  // other tasks run meanwhile
    std::cout << "world.\n";
  });
}

// The smallest program that waits: a millisecond, in a task.
#include <chrono>

#include <asyncio/asyncio.h>

int main() {
  asyncio::run([] { asyncio::sleep(std::chrono::milliseconds(1)); });
}

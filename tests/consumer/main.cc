// Uses the library as a stranger would: by its umbrella header and whatever backends it has.
//
// With the argument "overflow" it ends by a stack overflow that is reported.
#include <cstddef>
#include <iostream>
#include <stdexcept>
#include <string_view>

#include <asyncio/asyncio.h>

namespace {

// Most of what differs in a program that is linked in another way: backends that a table finds,
// exceptions, threads and their variables, stacks that are switched.
int answer() {
  int sum = asyncio::to_thread([] { return 40; });
  const auto failing = asyncio::create_task([]() -> int {
    asyncio::sleep(0.001);
    throw std::runtime_error("as it should");
  });
  try {
    asyncio::await(failing);
  } catch (const std::runtime_error&) {
    asyncio::yield();
    ++sum;
  }
  try {
    asyncio::timeout(0.001, [] { asyncio::sleep(1); });
  } catch (const asyncio::TimeoutException&) {
    ++sum;
  }
  const auto endless = asyncio::create_task([] { asyncio::sleep(100); });
  asyncio::yield();
  endless.cancel();
  try {
    asyncio::await(endless);
    return 0;
  } catch (const asyncio::TaskCancelledException&) {
    return sum;
  }
}

// Larger than the guard below a stack: only what the compiler adds makes it touch that on its way.
int giant_frame(std::size_t last) {
  volatile char frame[1'000'000];
  frame[0] = 1;
  frame[last] = 2;
  return frame[0] + frame[last];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view{argv[1]} == "overflow") {
    return asyncio::run([] {
      return asyncio::await(asyncio::create_task([] { return giant_frame(900'000); }, "giant"));
    });
  }
  const auto names = asyncio::available_backends();
  for (const auto& name : names) {
    asyncio::RunOptions options;
    options.backend = name;
    const int result = asyncio::run(&answer, options);
    std::cout << name << ": " << result << '\n';
    if (result != 42) {
      return 1;
    }
  }
  return names.empty() ? 1 : 0;
}

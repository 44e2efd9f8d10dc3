// Uses the library as a stranger would: by its umbrella header and whatever backends it has.
#include <iostream>

#include <asyncio/asyncio.h>

int main() {
  const auto names = asyncio::available_backends();
  for (const auto& name : names) {
    asyncio::RunOptions options;
    options.backend = name;
    const int answer = asyncio::run(
        [] {
          auto task = asyncio::create_task([] {
            asyncio::sleep(0.001);
            return 42;
          });
          return asyncio::await(task);
        },
        options);
    std::cout << name << ": " << answer << '\n';
    if (answer != 42) {
      return 1;
    }
  }
  return names.empty() ? 1 : 0;
}

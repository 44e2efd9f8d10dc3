// Which backends are there, and how to ask for one of them.
#include <iostream>

#include <asyncio/asyncio.h>

int main() {
  // Without options it is "auto": the environment variable ASYNCIO_BACKEND if it is set, else the
  // default of the build, else the best there is.
  asyncio::run([] { std::cout << "auto: " << asyncio::get_event_loop().backend().type() << '\n'; });

  // A name takes that one and nothing else: it is an error if it was not built.
  for (const auto& name : asyncio::available_backends()) {  // best first
    asyncio::RunOptions options;
    options.backend = name;
    asyncio::run([&] { std::cout << "by name: " << name << '\n'; }, options);
  }
}

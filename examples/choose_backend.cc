// Which backends are there, and how to ask for one of them.
// Prints what "auto" has chosen, and what was chosen by name.
#include <iostream>

#include <asyncio/asyncio.h>

int main() {
  const auto say_which = [] { std::cout << ' ' << asyncio::get_event_loop().backend().type(); };

  // Without options it is "auto": the environment variable ASYNCIO_BACKEND if it is set, else the
  // default of the build, else the best there is.
  std::cout << "auto:";
  asyncio::run(say_which);
  std::cout << "\nby name:";

  // A name means that backend and nothing else: it is an error if it was not built.
  for (const auto& name : asyncio::available_backends()) {  // best first
    asyncio::RunOptions options;
    options.backend = name;
    asyncio::run(say_which, options);
  }
  std::cout << '\n';
}

// Compiles: the umbrella header brings all that a call of the library needs.
#include <asyncio/asyncio.h>

int main() {
  return asyncio::run([] { return asyncio::wait_signal({SIGUSR1, SIGTERM}); });
}

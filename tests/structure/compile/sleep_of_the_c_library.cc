// Does not compile: asyncio::sleep(
// The C library's sleep would take the call, and block the thread with all of its tasks.
#include <unistd.h>

#include <asyncio/asyncio.h>

using namespace asyncio;

int main() {
  run([] { sleep(1u); });
}

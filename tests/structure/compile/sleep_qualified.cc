// Compiles: the C library's sleep is in nobody's way.
#include <unistd.h>

#include <asyncio/asyncio.h>

using namespace asyncio;

int main() {
  run([] {
    asyncio::sleep(1u);
    sleep(1);
    sleep(0.5);
    sleep(std::chrono::seconds{1});
  });
}

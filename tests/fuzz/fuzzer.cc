// The entry that libFuzzer calls; built with -Dfuzz=enabled.
#include <asyncio/tests/fuzz/program.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  asyncio::test::run_program(bytes, size);
  return 0;
}

// Prints what is in a file, and then what is added to it, as `tail -f` does.
//
//   tail_follow FILE
//
// Ends on SIGINT or SIGTERM.
#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>

namespace {

using namespace std::chrono_literals;

[[noreturn]] void follow(const std::string& path) {
  const asyncio::File file = asyncio::File::open(path);
  std::array<std::byte, 16384> buffer;
  for (std::uint64_t place = 0;;) {
    const std::size_t got = file.read_at(buffer, place);
    if (got > 0) {
      asyncio::standard_output().write_all(asyncio::ConstBytes{buffer}.first(got));
      place += got;
    } else if (file.size() < place) {
      place = 0;  // somebody began it anew
    } else {
      asyncio::sleep(100ms);
    }
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::fputs("usage: tail_follow FILE\n", stderr);
    return 2;
  }
  asyncio::RunOptions options;
  options.handle_sigint = false;
  asyncio::run(
      [&] {
        auto following = asyncio::create_task([&] { follow(argv[1]); });
        auto told = asyncio::create_task([] { asyncio::wait_signal({SIGINT, SIGTERM}); });
        // An error ends it as well as a signal does.
        if (asyncio::wait_any(following, told) == 0) asyncio::await(following);
      },
      options);
} catch (const std::exception& error) {
  std::fprintf(stderr, "tail_follow: %s\n", error.what());
  return 1;
}

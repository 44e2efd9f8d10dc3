// A supervisor: keeps a program running, and starts it again when it fails.
//
//   supervisor PROGRAM [ARGUMENT...]
//
// On SIGINT or SIGTERM it asks the program to end, by force after 5 seconds, and ends with it.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>

#include <asyncio/asyncio.h>
#include <asyncio/io/all.h>

namespace {

using namespace std::chrono_literals;

/// Starts the program until it succeeds; ever more slowly, if it fails soon.
void keep_running(const asyncio::Command& command) {
  asyncio::Duration pause = 10ms;
  for (;;) {
    const auto started = std::chrono::steady_clock::now();
    // When this task is cancelled, the program and all that it has started are told to end.
    const auto result = asyncio::run_process(command, {.check = false});
    std::printf("%s %s\n", command.program.c_str(), result.status.to_string().c_str());
    std::fflush(stdout);
    if (result.status.success()) return;
    const bool ran_well = std::chrono::steady_clock::now() - started > 10s;
    pause = ran_well ? 10ms : std::min<asyncio::Duration>(2 * pause, 30s);
    asyncio::sleep(pause);
  }
}

void supervise(const asyncio::Command& command) {
  auto keeping = asyncio::create_task([&] { keep_running(command); });
  auto told = asyncio::create_task([] { asyncio::wait_signal({SIGINT, SIGTERM}); });
  asyncio::wait_any(keeping, told);
  keeping.cancel();
  asyncio::wait(keeping);  // for the program to end, too
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::fputs("usage: supervisor PROGRAM [ARGUMENT...]\n", stderr);
    return 2;
  }
  const asyncio::Command command{.program = argv[1],
                                 .arguments = {argv + 2, argv + argc},
                                 .out = asyncio::Redirect::inherit(),
                                 .err = asyncio::Redirect::inherit()};
  asyncio::RunOptions options;
  options.handle_sigint = false;  // the supervisor handles it itself
  asyncio::run([&] { supervise(command); }, options);
} catch (const std::exception& error) {
  std::fprintf(stderr, "supervisor: %s\n", error.what());
  return 1;
}

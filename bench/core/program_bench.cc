// The smallest program that waits, from its start to its end, a millisecond of which it waits; and
// how large it is, stripped, with what it links statically: ours has every backend.  The programs
// are in bench/program/.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include <asyncio/asyncio.h>

#include "../support/rows.h"

namespace bench {
namespace {

namespace fs = std::filesystem;

fs::path programs() { return fs::read_symlink("/proc/self/exe").parent_path() / "program"; }

/// Runs it and waits for its end.  False if it fails.
bool run(const std::string& path, char* const* environment) {
  char* const argv[] = {const_cast<char*>(path.c_str()), nullptr};
  pid_t child = -1;
  int status = -1;
  return ::posix_spawn(&child, path.c_str(), nullptr, nullptr, argv, environment) == 0 &&
         ::waitpid(child, &status, 0) == child && status == 0;
}

/// With one more variable, or none.
void time_program(State& state, const fs::path& path, std::string variable = {}) {
  std::vector<char*> environment;
  if (!variable.empty()) environment.push_back(variable.data());  // the first of its name counts
  for (char** inherited = environ; *inherited != nullptr; ++inherited) {
    environment.push_back(*inherited);
  }
  environment.push_back(nullptr);
  for (auto _ : state) {
    if (!run(path, environment.data())) state.SkipWithError("the program has failed");
  }
  state.counters["bytes"] = static_cast<double>(fs::file_size(path));
}

const Subject subject("core.program", [](Rows& rows) {
  for (const std::string& backend : asyncio::available_backends()) {
    rows.add("asyncio@" + backend, {},
             [=](State& state) {
               time_program(state, programs() / "program_asyncio", "ASYNCIO_BACKEND=" + backend);
             })
        ->Unit(benchmark::kMicrosecond);
  }
  for (const std::string contender :
       {"bare", "raw_libev", "raw_libevent", "boost_fiber", "asio", "libuv"}) {
    const fs::path path = programs() / ("program_" + contender);
    if (!fs::exists(path)) continue;
    rows.add(contender, {}, [=](State& state) { time_program(state, path); })
        ->Unit(benchmark::kMicrosecond);
  }
});

}  // namespace
}  // namespace bench

// Echo servers of other languages, as programs of their own: bench/peers/<language>/.
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "../echo/servers.h"
#include "bench_config.h"

namespace bench {
namespace {

/// A server that becomes `command`, which finds the listening socket as descriptor 3.
EchoServer program(std::string contender, std::vector<std::string> command) {
  command.emplace_back("--serve");
  const auto become = [command = std::move(command)](int listener) {
    std::vector<char*> argv;
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    // To itself it would keep the flag that closes it.
    if (listener == 3) listener = ::dup(listener);
    ::dup2(listener, 3);
    ::execvp(argv[0], argv.data());
    throw std::system_error(errno, std::generic_category(), argv[0]);
  };
  return {std::move(contender), become, std::numeric_limits<int>::max()};
}

const EchoServers peers([]([[maybe_unused]] std::vector<EchoServer>& servers) {
#ifdef BENCH_GO_PEER
  servers.push_back(program("go", {BENCH_GO_PEER}));
#endif
#ifdef BENCH_TOKIO_PEER
  servers.push_back(program("tokio", {BENCH_TOKIO_PEER}));
#endif
#ifdef BENCH_PYTHON
  servers.push_back(program("python_asyncio", {BENCH_PYTHON, BENCH_PYTHON_PEER}));
#endif
#ifdef BENCH_UVLOOP_PYTHON
  servers.push_back(program("uvloop", {BENCH_UVLOOP_PYTHON, BENCH_PYTHON_PEER, "--loop=uvloop"}));
#endif
});

}  // namespace
}  // namespace bench

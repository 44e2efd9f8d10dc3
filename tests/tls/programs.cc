#include <asyncio/tests/tls/programs.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/io/tcp_pair.h>

namespace asyncio::test {

using namespace std::chrono_literals;

bool is_installed(const std::string& name) {
  return std::system(("command -v " + name + " >/dev/null").c_str()) == 0;
}

Program::Program(const std::vector<std::string>& command, const std::string& log) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
  const int error =
      ::posix_spawnp(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("cannot start " + command.front());
}

Program::~Program() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::string output_of(const std::string& command) {
  return to_thread([&] {
    std::FILE* const from = ::popen(command.c_str(), "r");
    if (from == nullptr) throw std::runtime_error("popen");
    std::string all;
    std::array<char, 4096> some;
    while (const std::size_t got = std::fread(some.data(), 1, some.size(), from)) {
      all.append(some.data(), got);
    }
    const int status = ::pclose(from);
    if (status != 0) all += "status " + std::to_string(WEXITSTATUS(status));
    return all;
  });
}

std::uint16_t free_port() { return TcpListener::bind(loopback()).local().port(); }

TcpStream connect_when_ready(const Endpoint& to) {
  for (int tries = 0;; ++tries) {
    try {
      return TcpStream::connect(to);
    } catch (const ConnectError&) {
      if (tries == 1000) throw;
    }
    sleep(10ms);
  }
}

}  // namespace asyncio::test

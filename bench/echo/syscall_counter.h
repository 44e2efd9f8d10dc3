// Counts the system calls another process makes, with strace where there is one.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "child_process.h"

namespace echo_bench {

/// Counts from its making to stop().  The traced process goes on afterwards.
class SyscallCounter {
 public:
  /// Returns once `pid` is being traced.  Throws if it cannot be: no strace, or no permission.
  explicit SyscallCounter(pid_t pid, std::optional<int> cpu)
      : summary_(),
        strace_({"strace", "-f", "-c", "-o", summary_.path, "-p", std::to_string(pid)},
                {.cpu = cpu, .listen_to_stderr = true}) {
    while (strace_.read_line(kPatience).find(" attached") == std::string::npos) {
    }
  }

  /// All system calls of the traced process since then.
  std::uint64_t stop() {
    strace_.signal(SIGINT);
    strace_.wait(kPatience);
    std::ifstream lines(summary_.path);
    for (std::string line; std::getline(lines, line);) {
      // "% time  seconds  usecs/call  calls  [errors]  total"
      std::istringstream words(line);
      double percent = 0;
      double seconds = 0;
      double each = 0;
      std::uint64_t calls = 0;
      if (line.ends_with(" total") && words >> percent >> seconds >> each >> calls) return calls;
    }
    throw std::runtime_error("strace left no summary");
  }

 private:
  static constexpr ChildProcess::Limit kPatience{5000};

  struct TemporaryFile {
    TemporaryFile() {
      const int fd = ::mkstemp(path.data());
      if (fd < 0) throw std::system_error(errno, std::generic_category(), "mkstemp");
      ::close(fd);
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    ~TemporaryFile() { ::unlink(path.c_str()); }
    std::string path = "/tmp/echo_demo.XXXXXX";
  };

  TemporaryFile summary_;
  ChildProcess strace_;
};

}  // namespace echo_bench

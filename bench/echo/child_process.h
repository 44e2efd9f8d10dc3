// A child process that cannot be forgotten: talks over pipes, every wait has a limit, and the
// destructor ends and reaps it.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "../support/processors.h"

namespace echo_bench {

/// Set it from a signal handler, and every wait for a child throws Interrupted: the stack unwinds,
/// and the children with it.
inline volatile std::sig_atomic_t interrupted = 0;

/// Not a std::exception, so that nobody takes it for the failure of one child.
struct Interrupted {};

/// Threads: one.
class ChildProcess {
 public:
  using Limit = std::chrono::milliseconds;

  struct Options {
    std::optional<int> cpu;         ///< pin it to this processor
    bool listen_to_stderr = false;  ///< read_line() hears stderr instead of stdout
  };

  /// Starts `command`; a name without '/' is looked up in PATH.
  ChildProcess(const std::vector<std::string>& command, Options options) : name_(command.at(0)) {
    std::vector<char*> argv;
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);

    int input[2];
    int output[2];
    if (::pipe2(input, O_CLOEXEC) != 0) fail("pipe2");
    if (::pipe2(output, O_CLOEXEC) != 0) {
      ::close(input[0]);
      ::close(input[1]);
      fail("pipe2");
    }
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) {
      // If we die without running destructors, the child dies too.
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(127);
      std::signal(SIGPIPE, SIG_DFL);  // an ignored signal would stay ignored across exec
      if (options.cpu) bench::pin_to_cpu(*options.cpu);
      ::dup2(input[0], STDIN_FILENO);
      ::dup2(output[1], options.listen_to_stderr ? STDERR_FILENO : STDOUT_FILENO);
      ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
    ::close(input[0]);
    ::close(output[1]);
    input_ = input[1];
    output_ = output[0];
    if (pid_ < 0) {
      close_all();
      fail("fork");
    }
  }

  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  ~ChildProcess() {
    close_all();
    for (const int signal_number : {SIGTERM, SIGKILL}) {
      if (status_) return;
      ::kill(pid_, signal_number);
      poll_for_end(Limit(2000));
    }
  }

  pid_t pid() const { return pid_; }

  /// The next line it prints, without the newline.  Throws if none comes in time, or at all.
  std::string read_line(Limit limit) {
    const auto until = Clock::now() + limit;
    for (;;) {
      if (interrupted) throw Interrupted{};
      const std::size_t end = heard_.find('\n');
      if (end != std::string::npos) {
        std::string line = heard_.substr(0, end);
        heard_.erase(0, end + 1);
        return line;
      }
      const auto left = std::chrono::duration_cast<Limit>(until - Clock::now());
      if (left <= Limit::zero()) throw std::runtime_error(name_ + " said nothing in time");
      pollfd wanted{.fd = output_, .events = POLLIN, .revents = 0};
      if (::poll(&wanted, 1, static_cast<int>(left.count()) + 1) <= 0) continue;
      char buffer[4096];
      const ssize_t n = ::read(output_, buffer, sizeof(buffer));
      if (n == 0) throw std::runtime_error(name_ + " ended without the expected output");
      if (n > 0) heard_.append(buffer, static_cast<std::size_t>(n));
    }
  }

  void write_line(std::string_view line) {
    const std::string text = std::string(line) + "\n";  // far below PIPE_BUF: written at once
    if (::write(input_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
      throw std::runtime_error(name_ + " no longer reads its input");
    }
  }

  void close_input() {
    if (input_ >= 0) ::close(std::exchange(input_, -1));
  }

  void signal(int signal_number) {
    if (!status_) ::kill(pid_, signal_number);
  }

  /// Waits until it has ended.  Returns its exit status, or 128 + N if signal N killed it.
  int wait(Limit limit) {
    const bool ended = poll_for_end(limit);
    if (interrupted) throw Interrupted{};
    if (!ended) throw std::runtime_error(name_ + " did not end in time");
    return WIFEXITED(*status_) ? WEXITSTATUS(*status_) : 128 + WTERMSIG(*status_);
  }

 private:
  using Clock = std::chrono::steady_clock;

  bool poll_for_end(Limit limit) {
    const auto until = Clock::now() + limit;
    while (!status_) {
      int status = 0;
      const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
      if (ended == pid_) {
        status_ = status;
      } else if (Clock::now() >= until) {
        return false;
      } else {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
    }
    return true;
  }

  void close_all() {
    close_input();
    if (output_ >= 0) ::close(std::exchange(output_, -1));
  }

  [[noreturn]] static void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
  }

  std::string name_;
  pid_t pid_ = -1;
  int input_ = -1;   // its stdin
  int output_ = -1;  // its stdout or stderr
  std::string heard_;
  std::optional<int> status_;  // as from waitpid, once it is reaped
};

}  // namespace echo_bench

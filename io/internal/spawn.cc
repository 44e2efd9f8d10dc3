#include <asyncio/io/internal/spawn.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asyncio/core/errors.h>
#include <asyncio/core/sleep.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio::detail {

using namespace std::chrono_literals;

namespace {

// A program that was written a moment ago may be open for writing still, by a child that another
// thread is starting: until that one has executed its own.
constexpr Duration first_pause = 1ms;
constexpr Duration longest_pause = 64ms;

void check(int error, const char* call) {
  if (error != 0) throw_io_error(call, -1, error);
}

/// What happens to descriptors between fork and exec.
class FileActions {
 public:
  FileActions(const Command& command, const StandardFds& fds, const char* call) {
    check(::posix_spawn_file_actions_init(&actions_), call);
    try {
      for (int i = 0; i < 3; ++i) {
        const int from = fds[static_cast<std::size_t>(i)];
        if (from >= 0) check(::posix_spawn_file_actions_adddup2(&actions_, from, i), call);
      }
      if (command.err.kind() == Redirect::Kind::output) {
        check(::posix_spawn_file_actions_adddup2(&actions_, 1, 2), call);
      }
      check(::posix_spawn_file_actions_addclosefrom_np(&actions_, 3), call);
      if (!command.directory.empty()) {
        check(::posix_spawn_file_actions_addchdir_np(&actions_, command.directory.c_str()), call);
      }
    } catch (...) {
      ::posix_spawn_file_actions_destroy(&actions_);
      throw;
    }
  }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;

  const posix_spawn_file_actions_t* get() const noexcept { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

/// Signals and groups.
class Attributes {
 public:
  Attributes(bool own_group, const char* call) {
    check(::posix_spawnattr_init(&attributes_), call);
    sigset_t none, by_default;
    ::sigemptyset(&none);
    ::sigemptyset(&by_default);
    // A server ignores it for its own sake; a filter has to end by it.
    ::sigaddset(&by_default, SIGPIPE);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &by_default);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    const int flags =
        POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | (own_group ? POSIX_SPAWN_SETPGROUP : 0);
    ::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags));
  }
  ~Attributes() { ::posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;

  const posix_spawnattr_t* get() const noexcept { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

void check_text(std::string_view text, const char* what, const char* call) {
  if (text.find('\0') == text.npos) return;
  throw std::invalid_argument(std::string{call} + ": " + what +
                              " has a NUL in it, where the system would cut it off");
}

/// Pointers to texts, as exec wants them.
std::vector<char*> pointers(const std::string* first, const std::vector<std::string>& others) {
  std::vector<char*> all;
  all.reserve(others.size() + 2);
  if (first != nullptr) all.push_back(const_cast<char*>(first->c_str()));
  for (const std::string& text : others) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

void check_command(const Command& command, const char* call) {
  if (command.program.empty()) {
    throw std::invalid_argument(std::string{call} + ": give it a program");
  }
  check_text(command.program, "the program", call);
  check_text(command.directory, "the directory", call);
  for (const std::string& text : command.arguments) check_text(text, "an argument", call);
  for (const std::string& text : command.environment.value_or(std::vector<std::string>{})) {
    check_text(text, "an environment variable", call);
    if (text.find('=') == text.npos) {
      throw std::invalid_argument(std::string{call} + ": the environment has \"" + text +
                                  "\"; write NAME=value");
    }
  }
}

void check_sigchld(const char* call) {
  struct sigaction now {};
  ::sigaction(SIGCHLD, nullptr, &now);
  const bool ignored = now.sa_handler == SIG_IGN;
  if (!ignored && (now.sa_flags & SA_NOCLDWAIT) == 0) return;
  throw InvalidStateError(std::string{call} + ": SIGCHLD is " +
                          (ignored ? "ignored" : "set to SA_NOCLDWAIT") +
                          " in this process, so the system throws away how children end; leave it "
                          "as by default: signal(SIGCHLD, SIG_DFL)");
}

/// The system tells an errno, and not what it is about.
[[noreturn]] void throw_not_started(const Command& command, int error, const char* call) {
  struct stat info {};
  const bool no_directory =
      !command.directory.empty() &&
      (::stat(command.directory.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) ||
       ::access(command.directory.c_str(), X_OK) != 0);
  throw IoError(std::string{call} + (no_directory ? ": the directory " + command.directory
                                                  : ": the program " + command.program),
                error_code_of(error));
}

}  // namespace

pid_t spawn_program(const Command& command, const StandardFds& fds, const char* call) {
  check_command(command, call);
  check_sigchld(call);
  const FileActions actions{command, fds, call};
  const Attributes attributes{command.own_group, call};
  const std::vector<char*> arguments = pointers(&command.program, command.arguments);
  const std::vector<char*> own_environment =
      command.environment ? pointers(nullptr, *command.environment) : std::vector<char*>{};
  char* const* const environment = command.environment ? own_environment.data() : environ;
  for (Duration pause = first_pause;; pause *= 2) {
    pid_t pid = -1;
    const int error = ::posix_spawnp(&pid, command.program.c_str(), actions.get(), attributes.get(),
                                     arguments.data(), environment);
    if (error == 0) return pid;
    if (error != ETXTBSY || pause > longest_pause) throw_not_started(command, error, call);
    sleep(pause);
  }
}

Fd open_pidfd(pid_t pid, const char* call) {
  Fd pidfd{static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))};
  if (pidfd.get() >= 0) return pidfd;
  const int error = errno;
  ::kill(pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) continue;
  throw_io_error(call, -1, error);
}

}  // namespace asyncio::detail

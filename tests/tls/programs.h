// Other people's programs, beside the test.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sys/types.h>

#include <asyncio/io/all.h>

namespace asyncio::test {

/// Is there a program of this name?
bool is_installed(const std::string& name);

/// A program that runs until this goes.
class Program {
 public:
  /// Starts it.  What it says goes into the file `log`.
  Program(const std::vector<std::string>& command, const std::string& log);
  /// Ends it, by its number, and waits for that.
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

 private:
  pid_t pid_;
};

/// Runs a command of the shell's on a thread, while the loop goes on.  Returns what it writes to
/// stdout, and "status N" behind it unless that is 0.
std::string output_of(const std::string& command);

/// A port nobody listens on at the moment.
std::uint16_t free_port();

/// Connects to a server that has been started just now, when it is ready.
/// Throws: ConnectError if it is not after 10 s.
TcpStream connect_when_ready(const Endpoint& to);

}  // namespace asyncio::test

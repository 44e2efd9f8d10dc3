// A pair of connected stream sockets, closed at the end.
#pragma once

#include <string>
#include <string_view>

namespace asyncio::test {

/// Both ends are non-blocking.
class SocketPair {
 public:
  SocketPair();
  ~SocketPair();
  SocketPair(const SocketPair&) = delete;
  SocketPair& operator=(const SocketPair&) = delete;

  int a() const { return fd_[0]; }
  int b() const { return fd_[1]; }
  int fd(int end) const { return fd_[end]; }

  /// Writes everything or fails the test.
  void write(int end, std::string_view bytes) const;
  /// What is there, without waiting.
  std::string read(int end) const;
  /// Fills `end`'s send buffer until it would block.
  void fill(int end) const;
  /// Closes an end, telling the loop first if one runs.
  void close(int end);
  /// Closes an end behind the loop's back.
  void close_silently(int end);

 private:
  int fd_[2];
};

}  // namespace asyncio::test

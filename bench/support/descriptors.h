// Descriptors for benchmarks: closed by their owner, never blocking.
#pragma once

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace bench {

/// Throws for a result of -1.
inline int checked(int result, const char* call) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), call);
  return result;
}

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

/// What is written to `in` can be read from `out`.
struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    checked(::pipe2(ends.data(), O_NONBLOCK | O_CLOEXEC), "pipe2");
    out = Fd(ends[0]);
    in = Fd(ends[1]);
  }
  Fd out;
  Fd in;
};

/// Two connected sockets.
struct SocketPair {
  SocketPair() {
    std::array<int, 2> ends{};
    checked(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()),
            "socketpair");
    left = Fd(ends[0]);
    right = Fd(ends[1]);
  }
  Fd left;
  Fd right;
};

/// One byte from the descriptor or to it.  Throws unless that works at once: a benchmark whose work
/// is not done must not look fast.
inline char read_byte(int fd) {
  char byte = 0;
  if (::read(fd, &byte, 1) != 1) throw std::system_error(errno, std::generic_category(), "read");
  return byte;
}
inline void write_byte(int fd) {
  if (::write(fd, "x", 1) != 1) throw std::system_error(errno, std::generic_category(), "write");
}

}  // namespace bench

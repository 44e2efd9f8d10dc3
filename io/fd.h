// A descriptor on its way from one owner to the next.
#pragma once

#include <utility>

#include <asyncio/io/export.h>

namespace asyncio {

/// Owns a descriptor of which nobody has said yet what it is.  To use one that is a connection:
/// `TcpStream::adopt(fd.get())`, which may throw, and then `std::move(fd).release()`.
/// Threads: any, one at a time.
class ASYNCIO_IO_API Fd {
 public:
  /// Takes `fd` over; -1 stands for none.
  explicit Fd(int fd = -1) noexcept : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();

  int get() const noexcept { return fd_; }
  /// Gives it to the caller, open.
  int release() && noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

}  // namespace asyncio

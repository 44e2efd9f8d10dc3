// The echo server in tasks: as examples/echo_server.cc, without what a demo needs.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include <asyncio/asyncio.h>

#include "../support/descriptors.h"

namespace bench {

class AsyncioEcho {
 public:
  explicit AsyncioEcho(int listener) : listener_(listener) {}

  /// The body of the main task.
  void serve() {
    for (;;) {
      asyncio::wait_readable(listener_);
      for (;;) {
        Fd socket(::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (socket.get() < 0) break;
        asyncio::create_task([this, socket = std::move(socket)] {
          echo(socket.get());
          asyncio::notify_closing(socket.get());
        });
      }
    }
  }

 private:
  void echo(int fd) {
    for (;;) {
      asyncio::wait_readable(fd);
      const ssize_t got = ::recv(fd, buffer_.data(), buffer_.size(), 0);
      if (got < 0 && errno == EAGAIN) continue;
      if (got <= 0) return;
      if (!send_all(fd, {buffer_.data(), static_cast<std::size_t>(got)})) return;
    }
  }

  /// False if the peer is gone.
  static bool send_all(int fd, std::string_view data) {
    std::string rest;
    for (;;) {
      const ssize_t sent = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return false;
      if (sent > 0) data.remove_prefix(static_cast<std::size_t>(sent));
      if (data.empty()) return true;
      if (rest.empty()) data = rest = std::string(data);  // others will use the buffer meanwhile
      asyncio::wait_writable(fd);
    }
  }

  int listener_;
  std::array<char, 65536> buffer_;
};

}  // namespace bench

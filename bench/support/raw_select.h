// A loop on select written by hand.  As raw_libev.h, without timers.
#pragma once

#include <sys/select.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "raw_until.h"

namespace bench::raw {

class Select {
 public:
  static constexpr std::string_view name = "raw_select";
  static constexpr int descriptor_limit = FD_SETSIZE;

  Select() {
    FD_ZERO(&readers_);
    FD_ZERO(&writers_);
  }
  Select(const Select&) = delete;
  Select& operator=(const Select&) = delete;

  void run() {
    for (running_ = true; running_;) turn(nullptr);
  }
  void stop() { running_ = false; }
  void poll() {
    timeval none{};
    turn(&none);
  }

 private:
  struct Handler {
    void (*call)(Handler&);
    int descriptor;
  };

 public:
  template <class Derived>
  class Io : Handler {
   public:
    void start(Select& loop, int fd, Until until = Until::readable) {
      Handler::call = [](Handler& self) {
        static_cast<Derived&>(static_cast<Io&>(self)).on_ready();
      };
      Handler::descriptor = fd;
      FD_SET(fd, until == Until::readable ? &loop.readers_ : &loop.writers_);
      loop.handlers_[static_cast<std::size_t>(fd)] = this;
      loop.end_ = std::max(loop.end_, fd + 1);
    }
    void stop(Select& loop) {
      FD_CLR(Handler::descriptor, &loop.readers_);
      FD_CLR(Handler::descriptor, &loop.writers_);
      loop.handlers_[static_cast<std::size_t>(Handler::descriptor)] = nullptr;
    }
  };

 private:
  void turn(timeval* timeout) {
    fd_set readable = readers_;
    fd_set writable = writers_;
    int left = ::select(end_, &readable, &writable, nullptr, timeout);
    for (int fd = 0; fd < end_ && left > 0; ++fd) {
      const bool ready = FD_ISSET(fd, &readable) || FD_ISSET(fd, &writable);
      if (!ready) continue;
      --left;
      if (Handler* const handler = handlers_[static_cast<std::size_t>(fd)]) handler->call(*handler);
    }
  }

  fd_set readers_;
  fd_set writers_;
  int end_ = 0;
  bool running_ = false;
  std::array<Handler*, FD_SETSIZE> handlers_{};
};

}  // namespace bench::raw

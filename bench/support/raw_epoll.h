// A loop on epoll written by hand: the least that serves many descriptors.  As raw_libev.h, without
// timers.
#pragma once

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <limits>
#include <string_view>
#include <system_error>

#include "raw_until.h"

namespace bench::raw {

class Epoll {
 public:
  static constexpr std::string_view name = "raw_epoll";
  static constexpr int descriptor_limit = std::numeric_limits<int>::max();

  Epoll() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  }
  Epoll(const Epoll&) = delete;
  Epoll& operator=(const Epoll&) = delete;
  ~Epoll() { ::close(epoll_); }

  void run() {
    for (running_ = true; running_;) turn(-1);
  }
  void stop() { running_ = false; }
  void poll() { turn(0); }

 private:
  struct Handler {
    void (*call)(Handler&);
    int descriptor;
  };

 public:
  template <class Derived>
  class Io : Handler {
   public:
    void start(Epoll& loop, int fd, Until until = Until::readable) {
      Handler::call = [](Handler& self) {
        static_cast<Derived&>(static_cast<Io&>(self)).on_ready();
      };
      Handler::descriptor = fd;
      epoll_event wanted{.events = until == Until::readable ? EPOLLIN : EPOLLOUT,
                         .data = {.ptr = static_cast<Handler*>(this)}};
      ::epoll_ctl(loop.epoll_, EPOLL_CTL_ADD, fd, &wanted);
    }
    /// Only from its own on_ready(), or outside run(): the batch may still hold others.
    void stop(Epoll& loop) {
      ::epoll_ctl(loop.epoll_, EPOLL_CTL_DEL, Handler::descriptor, nullptr);
    }
  };

 private:
  void turn(int timeout) {
    const int count =
        ::epoll_wait(epoll_, events_.data(), static_cast<int>(events_.size()), timeout);
    for (int i = 0; i < count; ++i) {
      auto& handler = *static_cast<Handler*>(events_[static_cast<std::size_t>(i)].data.ptr);
      handler.call(handler);
    }
  }

  int epoll_;
  bool running_ = false;
  std::array<epoll_event, 512> events_{};
};

}  // namespace bench::raw

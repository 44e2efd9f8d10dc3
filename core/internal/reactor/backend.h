// The private half of a backend, as the runtime calls it.  core/event_loop_interface.h is the
// contract.  Once a guest has left its host, a PollSet takes the backend's place.
#pragma once

#include <memory>
#include <string>

#include <asyncio/core/event_loop_interface.h>
#include <asyncio/core/internal/reactor/poll_set.h>

namespace asyncio::detail {

class Reactor;

class Backend {
 public:
  explicit Backend(EventLoopInterface& interface) noexcept : interface_(interface) {}
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  static Reactor& reactor_of(EventLoopInterface& interface) noexcept { return *interface.reactor_; }

  int watch(int fd, Interest wanted) noexcept {
    return alone_ ? own_.watch(fd, wanted) : interface_.watch(fd, wanted);
  }
  void wait(TimePoint until, ReadySink& sink) {
    alone_ ? own_.wait(until, sink) : interface_.wait(until, sink);
  }
  void rebuild() {
    if (!alone_) interface_.after_fork();
  }
  void work_arrived() noexcept {
    if (!alone_) interface_.work_arrived();
  }
  void keep_host(bool wanted) noexcept {
    if (!alone_) interface_.keep_host(wanted);
  }
  int native_fd() const noexcept { return interface_.native_fd(); }
  /// Leaves the host.  Nothing is watched then.
  void detach() noexcept {
    interface_.detach();
    alone_ = true;
  }

  const std::string& type() const noexcept { return interface_.type_; }
  bool is_exact() const noexcept {
    return alone_ || interface_.precision_ == EventLoopInterface::Precision::exact;
  }
  bool is_guest() const noexcept { return interface_.driver_ == EventLoopInterface::Driver::host; }

 private:
  EventLoopInterface& interface_;
  bool alone_ = false;
  PollSet own_;
};

}  // namespace asyncio::detail

// The private half of a backend, as the runtime calls it.  core/event_loop_interface.h is the
// contract.
#pragma once

#include <memory>
#include <string>

#include <asyncio/core/event_loop_interface.h>

namespace asyncio::detail {

class Reactor;

class Backend {
 public:
  explicit Backend(EventLoopInterface& interface) noexcept : interface_(interface) {}

  static Reactor& reactor_of(EventLoopInterface& interface) noexcept { return *interface.reactor_; }

  int watch(int fd, Interest wanted) noexcept { return interface_.watch(fd, wanted); }
  void wait(TimePoint until, ReadySink& sink) { interface_.wait(until, sink); }
  void rebuild() { interface_.after_fork(); }
  void work_arrived() noexcept { interface_.work_arrived(); }
  int native_fd() const noexcept { return interface_.native_fd(); }
  void detach() noexcept { interface_.detach(); }

  const std::string& type() const noexcept { return interface_.type_; }
  bool is_exact() const noexcept {
    return interface_.precision_ == EventLoopInterface::Precision::exact;
  }
  bool is_guest() const noexcept { return interface_.driver_ == EventLoopInterface::Driver::host; }

 private:
  EventLoopInterface& interface_;
};

}  // namespace asyncio::detail

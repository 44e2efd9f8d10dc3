// A loop that is the guest of a host, run as one that runs itself would be.
#pragma once

#include <functional>
#include <memory>

#include <asyncio/core/event_loop.h>
#include <asyncio/tests/guest/host.h>

namespace asyncio::test {

/// Virtual time moves as it does on a loop that runs itself: to the next deadline, when the host
/// has come by in vain.
class HostedLoop {
 public:
  explicit HostedLoop(const LoopOptions& options);

  EventLoop& loop() noexcept { return *guest_.get(); }

  /// As EventLoop::run(main), up to the result of `main`, which is a task of the loop.
  /// Throws: std::runtime_error when nothing has happened for long.
  void run_main(detail::TaskControl& main);
  /// As EventLoop::run().
  /// Throws: the same.
  void run();
  /// In the child of a fork.
  void after_fork();

 private:
  void turn_until(const std::function<bool()>& finished);
  bool pass_time();
  void end_leftovers();

  std::unique_ptr<Host> host_;
  Guest guest_;
};

}  // namespace asyncio::test

// Failures nobody is there to catch.
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <utility>

#include <asyncio/core/event_loop.h>
#include <asyncio/core/unique_function.h>

namespace asyncio::detail {

class Reactor;
class TaskControl;

class Failures {
 public:
  explicit Failures(const Reactor& reactor) noexcept : reactor_(reactor) {}

  void set_handler(UniqueFunction<void(const ExceptionContext&)> handler) {
    handler_ = handler ? std::make_shared<Handler>(std::move(handler)) : nullptr;
  }

  /// Tells the exception handler, or stderr.
  void report(const std::string& message, const std::exception_ptr& exception,
              TaskControl* task) noexcept;
  /// Reports a failed task that nobody looked at.  Requires: it is in no list any more.
  void report_ignored(TaskControl& task) noexcept;

  /// Takes note that `what` threw.  Returns true if run() is to throw the exception, so that the
  /// run has to stop, and false if the exception has been reported.
  [[nodiscard]] bool callback_failed(std::exception_ptr exception, const char* what) noexcept;
  /// Returns what run() is to throw, only once, or null.
  std::exception_ptr take() noexcept { return std::exchange(for_run_, nullptr); }
  /// Reports what no run is left to throw.
  void report_left() noexcept;

 private:
  using Handler = UniqueFunction<void(const ExceptionContext&)>;

  const Reactor& reactor_;
  std::shared_ptr<Handler> handler_;  // shared with the calls in progress: one may replace it
  std::exception_ptr for_run_;
};

}  // namespace asyncio::detail

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
  /// Tells of a failed task that nobody looked at.  It is in no list any more.
  void report_ignored(TaskControl& task) noexcept;

  /// `what` threw.  Returns false if that has been reported, and true if it is for run() to throw:
  /// then the run has to stop.
  [[nodiscard]] bool callback_failed(std::exception_ptr exception, const char* what) noexcept;
  /// What is for run() to throw, once; null if nothing is.
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

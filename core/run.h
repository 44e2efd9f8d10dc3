// run(): a loop, a task named "main", and nothing left over.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <asyncio/core/event_loop.h>
#include <asyncio/core/export.h>

namespace asyncio {

/// The options of the loop that run() makes, and those of run() itself.
struct RunOptions {
  std::string backend = "auto";  ///< as make_backend() takes it
  std::size_t stack_size = 0;
  std::size_t guard_size = 0;
  bool debug = false;
  TestClock* clock = nullptr;
  std::optional<std::uint64_t> shuffle_seed = {};
  Duration shutdown_grace = std::chrono::seconds{5};
  bool report_stack_overflow = true;
  std::vector<int> signals_blocked_in_workers = {};
  /// The first SIGINT cancels main, and a second one ends the process.  This works on the process's
  /// main thread, if SIGINT has its default disposition, which is put back afterwards.
  bool handle_sigint = true;
};

namespace detail {

/// The loop of one run(), with its SIGINT handling.
class ASYNCIO_API Runner {
 public:
  /// Throws: NestedRunError inside a running loop; BackendError.
  explicit Runner(const RunOptions& options);
  ~Runner();
  EventLoop& loop() noexcept { return loop_; }
  /// Makes SIGINT cancel this task.
  void guard_main(const AnyTask& main);

 private:
  EventLoop loop_;
  bool handle_sigint_;
  std::uint64_t sigint_handler_ = 0;
};

}  // namespace detail

/// Makes a loop on the chosen backend, runs `main` as a task named "main", cancels and joins every
/// task left over, and returns or rethrows what main did.
///
/// May be called again, and in several threads at once, each with a loop of its own.
/// Throws: as EventLoop::run(main), and BackendError.
template <std::invocable F>
ASYNCIO_API_STABLE auto run(F&& main, const RunOptions& options) -> std::invoke_result_t<F> {
  detail::Runner runner{options};
  return runner.loop().run([&]() -> std::invoke_result_t<F> {
    runner.guard_main(current_task());
    return std::invoke(std::forward<F>(main));
  });
}

template <std::invocable F>
ASYNCIO_API_STABLE auto run(F&& main) -> std::invoke_result_t<F> {
  return run(std::forward<F>(main), RunOptions{});
}

}  // namespace asyncio

#include <asyncio/core/run.h>

#include <csignal>
#include <utility>

#include <sys/syscall.h>
#include <unistd.h>

#include <asyncio/core/backend_registry.h>
#include <asyncio/core/internal/process/signals.h>
#include <asyncio/core/internal/scheduler.h>

namespace asyncio::detail {
namespace {

LoopOptions loop_options(const RunOptions& options) {
  return {.stack_size = options.stack_size,
          .guard_size = options.guard_size,
          .debug = options.debug,
          .clock = options.clock,
          .shuffle_seed = options.shuffle_seed,
          .shutdown_grace = options.shutdown_grace,
          .report_stack_overflow = options.report_stack_overflow,
          .signals_blocked_in_workers = options.signals_blocked_in_workers};
}

std::unique_ptr<EventLoopInterface> backend_unless_nested(const RunOptions& options) {
  Scheduler::check_none_runs("asyncio::run");
  return make_backend(options.backend);
}

bool on_main_thread() noexcept { return ::getpid() == ::syscall(SYS_gettid); }

}  // namespace

Runner::Runner(const RunOptions& options)
    : loop_(backend_unless_nested(options), loop_options(options)),
      handle_sigint_(options.handle_sigint && on_main_thread() && Signals::has_default(SIGINT)) {}

Runner::~Runner() {
  if (sigint_handler_ != 0) loop_.rooms().signals.remove(sigint_handler_);
}

void Runner::guard_main(const AnyTask& main) {
  if (!handle_sigint_ || !Signals::has_default(SIGINT)) return;
  Signals& signals = loop_.rooms().signals;
  sigint_handler_ = signals.add(
      SIGINT, [main](int) { main.cancel("SIGINT"); }, false);
  signals.end_process_at_second(SIGINT);
}

}  // namespace asyncio::detail

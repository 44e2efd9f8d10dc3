#include <asyncio/io/run_process.h>

#include <array>
#include <csignal>
#include <exception>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <asyncio/concurrency/cancellation_scope.h>
#include <asyncio/concurrency/task_group.h>
#include <asyncio/concurrency/timeout.h>
#include <asyncio/core/exception_group.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/io/detail/byte_buffer.h>
#include <asyncio/io/process.h>

namespace asyncio {
namespace {

constexpr const char* run_call = "run_process";
constexpr std::size_t quoted_of_err = 300;

std::string message_of(const std::string& program, const ProcessResult& result) {
  std::string message = std::string{run_call} + ": " + program + " " + result.status.to_string();
  std::string_view said = result.err;
  while (said.ends_with('\n')) said.remove_suffix(1);
  if (said.empty()) return message;
  const bool is_long = said.size() > quoted_of_err;
  if (is_long) said.remove_prefix(said.size() - quoted_of_err);
  return message + ", and said: " + (is_long ? "…" : "") + std::string{said};
}

/// One run of a program.
class Run {
 public:
  Run(Command command, const RunProcessOptions& options)
      : options_(options), process_(Process::spawn(command)), command_(std::move(command)) {}

  ProcessResult finish() {
    try {
      collect();
    } catch (const Cancelled&) {
      shield([this] { end(options_.grace); });
      throw;
    } catch (const ExceptionGroup& failures) {
      shield([this] { end(Duration::zero()); });
      std::rethrow_exception(failures.exceptions().front());
    }
    return std::move(result_);
  }

 private:
  void collect() {
    TaskGroup::run([this](TaskGroup& group) {
      Task<void> feeding = group.spawn([this] { feed(); }, "run_process, input");
      Task<void> out = group.spawn([this] { read(command_.out, &Process::out, result_.out); },
                                   "run_process, output");
      Task<void> err = group.spawn([this] { read(command_.err, &Process::err, result_.err); },
                                   "run_process, error output");
      result_.status = process_.wait();
      feeding.cancel();
      result_.complete = CancellationScope::try_run(
          [&] {
            await(out);
            await(err);
          },
          {.timeout = options_.pipe_grace});
      out.cancel();
      err.cancel();
    });
  }

  void feed() {
    if (command_.in.kind() != Redirect::Kind::pipe) return;
    try {
      process_.in().write_all(options_.input);
    } catch (const IoError& error) {
      if (error.code() != std::errc::broken_pipe) throw;  // it need not read it all
    }
    process_.in().close();
  }

  void read(Redirect redirect, PipeReader& (Process::*pipe)(), std::string& into) {
    if (redirect.kind() != Redirect::Kind::pipe) return;
    PipeReader& from = (process_.*pipe)();
    detail::ByteBuffer buffer;
    for (;;) {
      const std::size_t got = from.read_some(buffer.space(1));
      if (got == 0) return;
      buffer.added(got);
      read_ += got;
      if (read_ > options_.most_output) {
        throw LimitError(std::string{run_call} + ": " + command_.program + " wrote more than " +
                             std::to_string(options_.most_output) +
                             " bytes, the limit most_output, and was killed",
                         options_.most_output);
      }
      into += text(buffer.bytes());
      buffer.take(got);
    }
  }

  /// Ends the program, after a while by force.
  void end(Duration grace) {
    TaskGroup group;
    // So that it can write what it has to say when it is told to end.
    for (auto [redirect, pipe] :
         {std::pair{command_.out, &Process::out}, std::pair{command_.err, &Process::err}}) {
      if (redirect.kind() != Redirect::Kind::pipe) continue;
      group.spawn([&from = (process_.*pipe)()] { drop(from); },
                  TaskOptions{.name = "run_process, dropping output", .background = true});
    }
    bool ended = false;
    if (grace > Duration::zero()) {
      process_.signal(SIGTERM);
      ended = CancellationScope::try_run([this] { process_.wait(); }, {.timeout = grace});
    }
    if (!ended) {
      process_.signal(SIGKILL);
      process_.wait();
    }
    group.wait_all();
  }

  static void drop(PipeReader& from) {
    std::array<std::byte, 2048> dropped;
    while (from.read_some(dropped) > 0) continue;
  }

  const RunProcessOptions& options_;
  Process process_;
  Command command_;
  ProcessResult result_{ExitStatus::exited(0), {}, {}};
  std::size_t read_ = 0;
};

}  // namespace

ProcessError::ProcessError(const std::string& program, ProcessResult result)
    : Error(message_of(program, result)),
      result_(std::make_shared<const ProcessResult>(std::move(result))) {}
ProcessError::~ProcessError() = default;

ProcessResult run_process(const Command& command, const RunProcessOptions& options) {
  lowlevel::enter(run_call);
  Command piped = command;
  piped.in = command.in.or_else(options.input.empty() ? Redirect::null() : Redirect::pipe());
  piped.out = command.out.or_else(Redirect::pipe());
  piped.err = command.err.or_else(Redirect::pipe());
  if (!options.input.empty() && piped.in.kind() != Redirect::Kind::pipe) {
    throw std::invalid_argument(std::string{run_call} +
                                ": there is input, and the command reads something else; leave "
                                ".in as it is");
  }
  ProcessResult result = Run{std::move(piped), options}.finish();
  if (options.check && !result.status.success()) {
    throw ProcessError(command.program, std::move(result));
  }
  return result;
}

}  // namespace asyncio

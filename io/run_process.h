// Running a program to its end.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <asyncio/core/time.h>
#include <asyncio/io/command.h>
#include <asyncio/io/errors.h>
#include <asyncio/io/exit_status.h>
#include <asyncio/io/export.h>

namespace asyncio {

/// What came of a program.
struct ProcessResult {
  ExitStatus status;
  std::string out;
  std::string err;
  /// False if something that the program had started still held its output after `pipe_grace`: then
  /// more may have been written to it later.
  bool complete = true;
};

struct RunProcessOptions {
  std::string_view input = {};                    ///< what the program reads; it need not
  bool check = true;                              ///< is any end but success an error?
  std::size_t most_output = 16 << 20;             ///< bytes, of out and err together
  Duration grace = std::chrono::seconds{5};       ///< between SIGTERM and SIGKILL, when cancelled
  Duration pipe_grace = std::chrono::seconds{1};  ///< for output after the program's end
};

/// A program has failed.  The message has its name, how it ended and the end of what it wrote to
/// its error output.
class ASYNCIO_IO_API ProcessError : public Error {
 public:
  ProcessError(const std::string& program, ProcessResult result);
  ~ProcessError() override;

  ExitStatus status() const noexcept { return result_->status; }
  const ProcessResult& result() const noexcept { return *result_; }

 private:
  std::shared_ptr<const ProcessResult> result_;
};

/// Runs a program, feeds it its input and collects its output, until it has ended.
///
/// Usual are a pipe for each of the three; what the command says otherwise is not collected.
/// Suspends: always.
/// Cancels: the program and its group get SIGTERM and, after the grace, SIGKILL; it is reaped, then
/// Cancelled goes on.
/// Throws: ProcessError, unless it succeeded or `check` is off; LimitError for too much output,
/// after the program was killed; std::invalid_argument for an input that is not the command's; and
/// as Process::spawn().
ASYNCIO_IO_API ProcessResult run_process(const Command& command,
                                         const RunProcessOptions& options = {});

}  // namespace asyncio

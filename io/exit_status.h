// How a process has ended.
#pragma once

#include <optional>
#include <string>

#include <asyncio/io/export.h>

namespace asyncio {

/// By itself, with a code, or by a signal.  A value.
class ASYNCIO_IO_API ExitStatus {
 public:
  static ExitStatus exited(int code) noexcept { return {code, 0, false}; }
  static ExitStatus signalled(int signo, bool dumped_core = false) noexcept {
    return {0, signo, dumped_core};
  }

  /// Did it exit with 0?
  bool success() const noexcept { return signo_ == 0 && code_ == 0; }
  /// What it exited with; nothing if a signal ended it.
  std::optional<int> code() const noexcept {
    return signo_ == 0 ? std::optional{code_} : std::nullopt;
  }
  /// The signal that ended it, if one did.
  std::optional<int> signal() const noexcept {
    return signo_ == 0 ? std::nullopt : std::optional{signo_};
  }
  bool dumped_core() const noexcept { return dumped_core_; }

  /// As in "exited with 3" or "ended by signal 9 (Killed)".
  std::string to_string() const;

  friend bool operator==(const ExitStatus&, const ExitStatus&) noexcept = default;

 private:
  ExitStatus(int code, int signo, bool dumped_core) noexcept
      : code_(code), signo_(signo), dumped_core_(dumped_core) {}

  int code_;
  int signo_;
  bool dumped_core_;
};

}  // namespace asyncio

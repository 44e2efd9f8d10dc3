// What is to be run as a process of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace asyncio {

/// Where one of a child's standard descriptors leads.
class Redirect {
 public:
  enum class Kind : std::uint8_t { usual, inherit, null, pipe, descriptor, output };

  /// What is usual for the call: see Process::spawn() and run_process().
  constexpr Redirect() noexcept = default;
  /// Where ours leads.
  static constexpr Redirect inherit() noexcept { return Redirect{Kind::inherit}; }
  /// Nowhere: /dev/null.
  static constexpr Redirect null() noexcept { return Redirect{Kind::null}; }
  /// A new pipe, whose other end is Process::in(), out() or err().
  static constexpr Redirect pipe() noexcept { return Redirect{Kind::pipe}; }
  /// An open descriptor of ours, which stays ours.  It had better block, as programs expect of
  /// theirs, and so be no end of make_pipe().
  static constexpr Redirect to(int fd) noexcept { return Redirect{Kind::descriptor, fd}; }
  /// For `err`: where `out` leads.
  static constexpr Redirect to_output() noexcept { return Redirect{Kind::output}; }

  constexpr Kind kind() const noexcept { return kind_; }
  constexpr int fd() const noexcept { return fd_; }
  /// This, or `usual` if nothing was said.
  constexpr Redirect or_else(Redirect usual) const noexcept {
    return kind_ == Kind::usual ? usual : *this;
  }

 private:
  constexpr explicit Redirect(Kind kind, int fd = -1) noexcept : kind_(kind), fd_(fd) {}

  Kind kind_ = Kind::usual;
  int fd_ = -1;
};

/// A program and what it is to find when it starts.  No shell is involved, unless that is the
/// program: `{.program = "sh", .arguments = {"-c", "…"}}`.
struct Command {
  /// A name without a slash is looked for in the PATH of this process.  A path that is not absolute
  /// begins in `directory`.
  std::string program;
  std::vector<std::string> arguments = {};  ///< without the program's own name
  /// Texts like "NAME=value", and no others; unset: those of this process.
  std::optional<std::vector<std::string>> environment = {};
  std::string directory = {};  ///< empty: that of this process
  Redirect in = {};
  Redirect out = {};
  Redirect err = {};
  /// A process group of its own: signals go to all that the child starts, and those of the
  /// terminal, such as Ctrl-C, do not reach it.
  bool own_group = true;
};

}  // namespace asyncio

// A file of the system that may change while the program runs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace asyncio::detail {

class WatchedFile {
 public:
  explicit WatchedFile(std::string path) : path_(std::move(path)) {}

  const std::string& path() const noexcept { return path_; }
  /// Is it another one, or another state of it, than at the last call?  The first call says yes.
  bool has_changed();
  /// All of it; empty if it cannot be read.
  std::string read() const;

 private:
  struct Stamp {
    std::uint64_t device, file, size;
    std::int64_t seconds, nanoseconds;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };

  std::string path_;
  bool seen_ = false;
  std::optional<Stamp> stamp_;
};

}  // namespace asyncio::detail

// Files, read and written without blocking the loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <sys/types.h>

#include <asyncio/io/bytes.h>
#include <asyncio/io/export.h>

namespace asyncio {

class Fd;

/// How a file is opened.
struct FileOptions {
  bool read = true;
  bool write = false;
  bool create = false;     ///< if it is not there
  bool exclusive = false;  ///< with `create`: it must not be there
  bool truncate = false;   ///< drops what is in it
  mode_t mode = 0666;      ///< of a file that is created, less the umask
};

/// An open file.  Reads and writes say where, so several tasks may use it at once.  A copy stands
/// for the same open file, which is closed with the last one.
///
/// A system cannot say when a file is ready, so calls are made on threads: at most 16 of them in a
/// loop, which are for files alone.  A cancel is delivered after the call, whose effect and result
/// are kept.  It belongs to no loop: one thread at a time uses it.
class ASYNCIO_IO_API File {
 public:
  /// Suspends: always.
  /// Throws: IoError, which names the path, also for a pipe or socket, which has no places to read
  /// at; std::invalid_argument for options that make no sense; NotInTaskError.
  static File open(const std::string& path, const FileOptions& options = {});

  /// Reads from `offset` until `into` is full, or to the end of the file.  Returns how much.
  /// Suspends: unless the system has it in memory.
  /// Throws: IoError; ClosedError; NotInTaskError.
  /// Cost: one system call and no thread for what is in memory.
  std::size_t read_at(std::span<std::byte> into, std::uint64_t offset) const;
  /// Writes all of `data` at `offset`.  The system has it then; see sync().
  /// Suspends: always.
  /// Throws: IoError, for example if the disk is full: a part may have been written; ClosedError;
  /// NotInTaskError.
  void write_at(ConstBytes data, std::uint64_t offset) const;
  void write_at(std::string_view data, std::uint64_t offset) const {
    write_at(asyncio::bytes(data), offset);
  }
  /// Bytes in it.
  /// Suspends, Throws: as write_at().
  std::uint64_t size() const;
  /// Waits until what was written is on the disk.
  /// Suspends, Throws: as write_at().
  void sync() const;

  /// Lets go of it, and closes the file unless copies or calls at work have it still.  Harmless if
  /// it is closed.  A destructor does the same, but does not suspend, and tells of no error.
  /// Suspends: always.
  /// Throws: IoError if the system tells only now that a write has failed; it is closed then.
  void close();
  bool is_closed() const noexcept { return fd_ == nullptr; }
  /// For what has no function here; -1 once it is closed.  It stays the file's.
  int fd() const noexcept;

 private:
  explicit File(std::shared_ptr<Fd> fd) noexcept : fd_(std::move(fd)) {}
  std::shared_ptr<Fd> open_fd(const char* call) const;

  std::shared_ptr<Fd> fd_;  ///< shared with calls that are at work
};

/// All that is in a file.
/// Suspends: always.  Cancels: after the call.
/// Throws: LimitError if that is more than `limit` bytes; IoError, which names the path;
/// NotInTaskError.
ASYNCIO_IO_API std::string read_file(const std::string& path, std::size_t limit);

/// Makes `data` all that is in a file, which is created if it is not there.  Who reads it meanwhile
/// may find a part.
/// Suspends, Cancels: as read_file().
/// Throws: IoError, which names the path; NotInTaskError.
ASYNCIO_IO_API void write_file(const std::string& path, ConstBytes data, mode_t mode = 0666);
inline void write_file(const std::string& path, std::string_view data, mode_t mode = 0666) {
  write_file(path, bytes(data), mode);
}

}  // namespace asyncio

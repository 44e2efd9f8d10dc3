// The two ends of a pipe.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <utility>

#include <asyncio/core/time.h>
#include <asyncio/io/detail/pipe_end.h>
#include <asyncio/io/export.h>
#include <asyncio/io/stream.h>

namespace asyncio {

/// The end of a pipe that bytes come out of.  It is a Stream, whose other direction is an error.
///
/// Belongs to the loop it was made in.  It may be moved while a task reads.
class ASYNCIO_IO_API PipeReader final : public Stream {
 public:
  /// Takes over the reading end of a pipe, or a terminal, and makes it non-blocking, which whoever
  /// shares it notices; for what a program inherits see standard_input().
  /// Throws: std::invalid_argument if `fd` is something else; IoError if it is not open; BusyError
  /// if a task waits on it by its number; NoRunningLoopError.  Then `fd` is still the caller's.
  static PipeReader adopt(int fd);
  /// Gives the descriptor to the caller.  A task that reads gets ClosedError.  Returns -1 if it is
  /// closed.
  int release() && noexcept { return end_.release(); }

  using Stream::write_all;
  std::size_t read_some(std::span<std::byte> into) override;
  void wait_readable() override;
  /// Throws: InvalidStateError: a reader is not written to.
  void write_all(std::span<const ConstBytes> buffers, std::size_t* accepted = nullptr) override;
  void shutdown_write() override;
  void close() noexcept override { end_.close(); }
  bool is_closed() const noexcept override { return !end_.is_open(); }
  detail::Channel* channel(lowlevel::Direction direction) noexcept override;

  /// As TcpStream::set_idle_timeout().
  void set_idle_timeout(std::optional<Duration> limit);
  /// For what has no function here; -1 once it is closed.  It stays the reader's.
  int fd() const noexcept { return end_.fd(); }

  /// For the library.
  explicit PipeReader(detail::PipeEnd end) noexcept : end_(std::move(end)) {}

 private:
  detail::PipeEnd end_;
};

/// The end of a pipe that bytes go into.  Writing where nobody reads is an IoError and raises no
/// signal.
///
/// As PipeReader.
class ASYNCIO_IO_API PipeWriter final : public Stream {
 public:
  /// As PipeReader::adopt(), for a writing end.
  static PipeWriter adopt(int fd);
  int release() && noexcept { return end_.release(); }

  using Stream::write_all;
  /// Throws: InvalidStateError: a writer is not read from.
  std::size_t read_some(std::span<std::byte> into) override;
  void wait_readable() override;
  void write_all(std::span<const ConstBytes> buffers, std::size_t* accepted = nullptr) override;
  /// Closes it: the reader finds the end.
  void shutdown_write() override;
  void close() noexcept override { end_.close(); }
  bool is_closed() const noexcept override { return !end_.is_open(); }
  detail::Channel* channel(lowlevel::Direction direction) noexcept override;

  void set_idle_timeout(std::optional<Duration> limit);
  int fd() const noexcept { return end_.fd(); }

  /// For the library.
  explicit PipeWriter(detail::PipeEnd end) noexcept : end_(std::move(end)) {}

 private:
  detail::PipeEnd end_;
};

/// A pipe: what is written into the second comes out of the first.
/// Suspends: never.
/// Throws: IoError; NoRunningLoopError.
ASYNCIO_IO_API std::pair<PipeReader, PipeWriter> make_pipe();

}  // namespace asyncio

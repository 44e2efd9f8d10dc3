// Reading lines, messages and whole bodies from a stream, which itself knows only bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <asyncio/io/detail/byte_buffer.h>
#include <asyncio/io/export.h>
#include <asyncio/io/stream.h>

namespace asyncio {

/// Reads ahead from a stream, which must outlive it and not be moved.  Whatever ends a call early,
/// be it a cancel, a limit or an error, what has come stays here for the next call.
///
/// Text that it returns as a view is good until the next call.
///
/// Threads: the loop's thread.
/// Cost: while it waits with nothing in it, it has no memory; then 16 KiB, from blocks that the
/// loop keeps, and more only for what is longer.
class ASYNCIO_IO_API BufferedReader {
 public:
  /// `limit` is the longest that a line, or what ends in a delimiter, may be.
  /// Throws: std::invalid_argument for 0.
  explicit BufferedReader(Stream& stream, std::size_t limit = 65536);
  BufferedReader(const BufferedReader&) = delete;
  BufferedReader& operator=(const BufferedReader&) = delete;

  /// Reads what is there, at least one byte.  Returns how many; 0 at the end of the stream.
  /// Suspends: until there is something.
  /// Cancels: Cancelled (as in all these calls); nothing is lost.
  /// Throws: what Stream::read_some() throws; BusyError if another task is in a call (as all).
  std::size_t read_some(std::span<std::byte> into);

  /// Fills `into`, however large that is.
  /// Suspends: until so much has come.
  /// Throws: EndOfStreamError if the stream ends before.  Whatever it throws, nothing is taken;
  /// std::bad_alloc alone means that what came is in `into` and nowhere else.
  void read_exactly(std::span<std::byte> into);

  /// Returns everything up to the first `delimiter`, which is included.
  /// Suspends: until it has come.
  /// Throws: LimitError if all that, with the delimiter, is more than `limit` bytes; 0 stands for
  /// the reader's own.  EndOfStreamError if the stream ends before; std::invalid_argument for a
  /// delimiter of no bytes.
  std::string_view read_until(std::string_view delimiter, std::size_t limit = 0);

  /// Returns the next line, without the "\n" or "\r\n" at its end, or nothing at the end of the
  /// stream.  The last line need not have an end.
  /// Suspends: until it has come.
  /// Throws: LimitError if it is more than `limit` bytes with its end; 0: the reader's own.
  std::optional<std::string_view> read_line(std::size_t limit = 0);

  /// Returns all the rest.
  /// Suspends: until the end of the stream.
  /// Throws: LimitError if it is more than `limit` bytes.
  std::string read_all(std::size_t limit);

 private:
  /// Reads once more.  Returns false at the end of the stream.
  bool fill();
  /// How much there is up to the delimiter's end; nothing if the stream ends before.
  std::optional<std::size_t> find(std::string_view delimiter, std::size_t limit, const char* call);
  /// The first `count` bytes, which go out.
  std::string_view take(std::size_t count) noexcept;

  Stream* stream_;
  std::size_t limit_;
  detail::ByteBuffer buffer_;
  bool busy_ = false;
  bool likely_more_ = false;  ///< the last read took all that it had room for
};

}  // namespace asyncio

// Writing in small pieces what leaves in large ones.
#pragma once

#include <cstddef>
#include <string_view>

#include <asyncio/core/lowlevel/loop.h>
#include <asyncio/io/bytes.h>
#include <asyncio/io/detail/byte_buffer.h>
#include <asyncio/io/export.h>
#include <asyncio/io/stream.h>

namespace asyncio {

/// Gathers up to 16 KiB for a stream, which must outlive it and not be moved.
///
/// Its destructor writes nothing: what was not flushed then is lost, and is told to the exception
/// handler unless an exception is the reason.
///
/// Threads: the loop's thread.
/// Cost: while there is nothing in it, it has no memory; then 16 KiB, from blocks that the loop
/// keeps.  What does not fit leaves without being copied.
class ASYNCIO_IO_API BufferedWriter {
 public:
  /// Throws: NoRunningLoopError.
  explicit BufferedWriter(Stream& stream);
  ~BufferedWriter();
  BufferedWriter(const BufferedWriter&) = delete;
  BufferedWriter& operator=(const BufferedWriter&) = delete;

  /// Takes `text`, or bytes, whole.  Once there are 16 KiB, everything goes to the stream.
  /// Suspends: then, as Stream::write_all().
  /// Cancels: Cancelled; before it begins, nothing is taken; while it writes, all of it is, and
  /// what the stream did not accept stays here.
  /// Throws: what Stream::write_all() throws, with the rest kept likewise; BusyError if another
  /// task writes or flushes.
  void write(std::string_view text) { write(bytes(text)); }
  void write(ConstBytes data);

  /// Gives the stream everything.
  /// Suspends: as Stream::write_all().
  /// Cancels: Cancelled; what the stream did not accept stays here.
  /// Throws: as write().
  void flush();

  /// How many bytes would be lost now.
  std::size_t unflushed() const noexcept { return buffer_.size(); }

  /// Flushes, for a second at most, and closes the stream whatever comes of that.  A task that
  /// writes gets ClosedError.  For a peer that may take longer, flush() before.
  /// Suspends: as flush() and Stream::close(), with cancels kept out.
  /// Throws: what flush() threw, when all is closed; TimeoutException.
  void close();

 private:
  /// Gives the stream what is here, and `more`; keeps what it does not accept.
  void send(ConstBytes more);

  Stream* stream_;
  lowlevel::LoopRef loop_;
  detail::ByteBuffer buffer_;
  int exceptions_;  ///< in flight when it was made
  bool busy_ = false;
  bool told_ = false;  ///< the last attempt to write threw
};

}  // namespace asyncio

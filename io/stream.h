// Bytes both ways: what buffers, encryption and protocols stand on.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include <asyncio/core/lowlevel/descriptor.h>
#include <asyncio/io/bytes.h>
#include <asyncio/io/export.h>

namespace asyncio {

namespace detail {
class Channel;
}

/// A connection, or an end of a pipe.
///
/// One task at a time reads and one writes; both may be at work at once.  A time limit is a scope's
/// matter: `timeout(5s, [&] { stream.read_some(…); })`.
/// Threads: the thread of its loop, except for the destructor and close().
class ASYNCIO_IO_API Stream {
 public:
  virtual ~Stream();

  /// Reads what is there, at least one byte, into `into`.  Returns how many; 0 at the end of the
  /// stream, or for nothing to read into.
  /// Suspends: until there is something.
  /// Cancels: Cancelled; nothing is lost.
  /// Throws: IoError; BusyError if another task reads; ClosedError if it is closed, before or
  /// meanwhile; NotInTaskError.
  virtual std::size_t read_some(std::span<std::byte> into) = 0;

  /// Waits until read_some() would return at once, so that whoever only waits needs no memory to
  /// read into.  A stream that cannot tell returns at once.
  /// Suspends: until there is something.
  /// Cancels: Cancelled.  Throws: as read_some().
  virtual void wait_readable() {}

  /// Writes the buffers, one after the other.  `accepted`, if given, says at every moment how many
  /// bytes the stream has taken, however the call ends.
  /// Suspends: as long as the peer, or the kernel, takes no more.
  /// Cancels: Cancelled; the first `*accepted` bytes are on their way, no other is, and the stream
  /// is as good as before.
  /// Throws: IoError, after which what the peer had sent can still be read; BusyError if another
  /// task writes; ClosedError; NotInTaskError.
  virtual void write_all(std::span<const ConstBytes> buffers, std::size_t* accepted = nullptr) = 0;
  /// Likewise, for one buffer.
  void write_all(ConstBytes buffer, std::size_t* accepted = nullptr) {
    write_all({&buffer, 1}, accepted);
  }
  void write_all(std::string_view text, std::size_t* accepted = nullptr) {
    write_all(bytes(text), accepted);
  }

  /// Says that nothing more will be written: the peer reads the end of the stream.
  /// Suspends: if something must be written for it.
  /// Cancels: Cancelled, before any effect.
  /// Throws: IoError; BusyError if another task writes; ClosedError; NotInTaskError.
  virtual void shutdown_write() = 0;

  /// Ends it both ways.  Tasks that read or write get ClosedError.  Harmless if it is closed.
  /// Suspends: never for plain connections; elsewhere for a bounded time, with cancels kept out.
  virtual void close() = 0;
  virtual bool is_closed() const noexcept = 0;

  /// For the library: the descriptor that reads or writes go to, if they do no more than that, so
  /// that copy() may have the kernel move bytes from one to another.  Null: they do more.
  virtual detail::Channel* channel(lowlevel::Direction direction) noexcept;

 protected:
  Stream() = default;
  Stream(Stream&&) = default;
  Stream& operator=(Stream&&) = default;
};

}  // namespace asyncio

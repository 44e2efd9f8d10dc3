// Reading and writing what can only be read and written by blocking.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include <asyncio/io/bytes.h>
#include <asyncio/io/detail/channel.h>
#include <asyncio/io/fd.h>

namespace asyncio::detail {

/// A descriptor whose flags are others' too, and which is no socket.  A call tries with RWF_NOWAIT.
/// Where that does not help, a thread makes it, and rings when it has.
///
/// A task that is cancelled lets go of the thread, which goes on: what it reads is what the next
/// call returns, and what it was given to write is on its way.
///
/// Threads: the tasks of one loop at a time.
class BlockingIo : public std::enable_shared_from_this<BlockingIo> {
 public:
  /// Works on a duplicate of `fd`.
  /// Throws: IoError.
  BlockingIo(int fd, const char* call);
  /// Does `fd` stand for the same file as when this was made?
  bool is_of(int fd) const noexcept;

  /// A new descriptor that becomes readable each time a thread is done.  Only the last one does.
  /// Throws: IoError.
  Fd make_bell(const char* call);

  /// As Stream says.  `bell` is the channel of the last bell.
  std::size_t read_some(Channel& bell, std::span<std::byte> into, const char* call);
  void write_all(Channel& bell, std::span<const ConstBytes> buffers, std::size_t* accepted,
                 const char* call);

 private:
  /// Waits until no thread is at work.
  void wait_idle(Channel::Use& use, lowlevel::CurrentTask self);
  /// Starts a thread that calls `work`, which returns an errno.
  template <class Work>
  void start(Work work, const char* call);
  /// Writes some of `piece`, by a thread if need be.  Returns how much.
  template <class Finish>
  std::size_t write_piece(ConstBytes piece, std::size_t& done, const char* call,
                          const Finish& finish);
  /// Throws what the last thread met.
  void check_error(const char* call);

  Fd fd_;
  std::mutex mutex_;  ///< for all below
  Fd bell_;
  std::string data_;         ///< what was read and not fetched, or is being written
  std::size_t written_ = 0;  ///< of it
  int error_ = 0;
  bool busy_ = false;
};

}  // namespace asyncio::detail

// Bytes from one descriptor to another without a copy.
#pragma once

#include <cstddef>
#include <cstdint>

#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/io/detail/channel.h>
#include <asyncio/io/fd.h>
#include <asyncio/io/stream.h>

namespace asyncio::detail {

/// A pipe that pages pass through on their way: splice(2) needs one.
///
/// It is empty whenever it is filled.  So when the kernel has nothing to give, that is because
/// nothing is there, never because the pipe is full.
class Splice {
 public:
  /// Makes no pipe yet.
  Splice() = default;

  /// Can it be used still?  Not if there were no descriptors for the pipe, or the kernel has said
  /// that it cannot do it with these.
  bool is_usable() const noexcept { return usable_; }

  /// Takes what is there from `from`, if it is as much as a buffer would hold or more, and so on.
  /// Returns how much was moved to `to`; 0 if nothing was there, or the end.
  /// Suspends: as long as `to` takes no more.
  /// Cancels: Cancelled; held() bytes are in the pipe.
  /// Throws: IoError; BusyError; ClosedError; TimeoutException.
  std::uint64_t move(lowlevel::CurrentTask self, Channel& from, Stream& to, const char* call);

  /// Writes what is in the pipe.
  void empty(lowlevel::CurrentTask self, Stream& to, const char* call);
  /// Bytes that were read and not written.
  std::size_t held() const noexcept { return held_; }

 private:
  bool open() noexcept;
  void empty_by_hand(Stream& to, const char* call);

  Fd out_;
  Fd in_;
  std::size_t held_ = 0;
  bool usable_ = true;
};

}  // namespace asyncio::detail

// What sockets and pipes have in common: a descriptor, who uses it at the moment, and how long a
// silence may last.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <asyncio/core/lowlevel/descriptor.h>
#include <asyncio/core/time.h>
#include <asyncio/io/bytes.h>
#include <asyncio/io/export.h>

struct iovec;

namespace asyncio::detail {

/// A non-blocking descriptor of one loop.  `call`, wherever it is a parameter, is the name of the
/// user's operation.
///
/// It may be moved while tasks use it: they follow.
class ASYNCIO_IO_API Channel {
 public:
  class Use;

  /// Take and give bytes as read(2) and writev(2) do, but raise no signal.
  using Read = std::ptrdiff_t (*)(int fd, std::span<std::byte> into);
  using Write = std::ptrdiff_t (*)(int fd, std::span<const iovec> pieces);

  /// Takes `fd` over.  Throws as OwnedDescriptor; the descriptor is the caller's then.
  Channel(int fd, const char* call) : descriptor_(fd, call) {}
  Channel(Channel&& other) noexcept;
  Channel& operator=(Channel&& other) noexcept;
  ~Channel() { close(); }

  int fd() const noexcept { return descriptor_.fd(); }
  bool is_open() const noexcept { return descriptor_.is_open(); }
  const lowlevel::LoopRef& loop() const noexcept { return descriptor_.loop(); }
  /// Throws: ClosedError; InvalidStateError in another loop than its own.
  void check(const char* call) const { descriptor_.check(call); }

  /// As Stream says.
  std::size_t read_some(std::span<std::byte> into, Read read, const char* call);
  void write_all(std::span<const ConstBytes> buffers, std::size_t* accepted, Write write,
                 const char* call);
  /// Waits until read_some() would not, without reading.
  void wait_readable(const char* call);

  /// Tasks that use it get ClosedError.
  void close() noexcept;
  /// Likewise; the descriptor is the caller's, open.  Returns -1 if it is closed.
  int release() noexcept;

  /// How long one wait for the other side may last; nothing: for ever.
  void set_idle_timeout(std::optional<Duration> limit) noexcept {
    idle_timeout_ = limit.value_or(Duration::max());
  }

 protected:
  /// The last read filled its buffer, or the last accept found a connection: another need not wait.
  bool has_more_ = false;

 private:
  /// Makes the uses follow to this object.
  void lead_uses() noexcept;
  /// Tells those who use it that it is gone.
  void drop_uses() noexcept;

  lowlevel::OwnedDescriptor descriptor_;
  std::array<Use*, 2> uses_{};  ///< by direction
  Duration idle_timeout_ = Duration::max();
};

/// One operation on a channel, in one direction; it lives on the task's stack.  It follows the
/// channel when that is moved, and learns when it is closed.
class ASYNCIO_IO_API Channel::Use {
 public:
  /// Throws: BusyError if there is another one; ClosedError; InvalidStateError in another loop.
  Use(Channel& channel, lowlevel::Direction direction, const char* call);
  ~Use();
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  /// Where it is now; null once it is closed.
  Channel* channel_or_null() const noexcept { return channel_; }
  /// Throws: ClosedError if it was closed meanwhile.
  Channel& channel() const {
    if (channel_ == nullptr) [[unlikely]]
      throw_closed();
    return *channel_;
  }
  int fd() const { return channel().fd(); }

  /// Parks the task until the channel is ready.
  /// Throws: ClosedError; TimeoutException after the idle timeout; Cancelled.
  void wait(lowlevel::CurrentTask self);
  /// As wait(), but only until `deadline`, whatever the idle timeout.  False if that has come.
  bool wait_until(lowlevel::CurrentTask self, TimePoint deadline);
  /// Parks the task for so long, or until the channel is closed.
  /// Throws: ClosedError; Cancelled.
  void pause(lowlevel::CurrentTask self, Duration time);

 private:
  friend class Channel;

  [[noreturn]] void throw_closed() const;

  Channel* channel_;
  lowlevel::Waiter* pausing_ = nullptr;
  const char* call_;
  lowlevel::Direction direction_;
};

}  // namespace asyncio::detail

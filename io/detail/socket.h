// What every kind of socket is made of: a descriptor, who uses it at the moment, and how long a
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
#include <asyncio/io/endpoint.h>
#include <asyncio/io/export.h>

namespace asyncio::detail {

/// A non-blocking socket of one loop.  `call`, wherever it is a parameter, is the name of the
/// user's operation.
///
/// It may be moved while tasks use it: they follow.
class ASYNCIO_IO_API Socket {
 public:
  class Use;

  /// Takes `fd` over.  Throws as OwnedDescriptor; the descriptor is the caller's then.
  Socket(int fd, const char* call) : descriptor_(fd, call) {}
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;
  ~Socket() { close(); }

  int fd() const noexcept { return descriptor_.fd(); }
  bool is_open() const noexcept { return descriptor_.is_open(); }
  const lowlevel::LoopRef& loop() const noexcept { return descriptor_.loop(); }
  /// Throws: ClosedError; InvalidStateError in another loop than its own.
  void check(const char* call) const { descriptor_.check(call); }

  // ---- As Stream says ---------------------------------------------------------------------------
  std::size_t read_some(std::span<std::byte> into, const char* call);
  void write_all(std::span<const ConstBytes> buffers, std::size_t* accepted, const char* call);
  void shutdown_write(const char* call);
  void close() noexcept;

  /// Waits until read_some() would not, without reading.
  void wait_readable(const char* call);
  /// Ends what is written, reads and drops what comes until the peer's end, at most for `limit`,
  /// and closes: so the kernel has no reason to reset the connection, which would drop what the
  /// peer has not read yet.
  void finish(Duration limit, const char* call);
  /// Closes so that the peer learns of it by an error.
  void reset() noexcept;
  /// As OwnedDescriptor.
  int release() noexcept;

  /// Of a listener: takes the next connection.  Goes on after errors of a single connection; while
  /// descriptors or memory are short, it tries again ever more rarely, and says so.
  /// Throws: IoError; BusyError; ClosedError; Cancelled, with no connection lost.
  Socket accept(const char* call);

  /// How long one wait for the peer may last; nothing: for ever.
  void set_idle_timeout(std::optional<Duration> limit) noexcept {
    idle_timeout_ = limit.value_or(Duration::max());
  }

  /// Throws: IoError; ClosedError.
  Endpoint local(const char* call) const;
  Endpoint peer(const char* call) const;
  /// Throws: IoError; ClosedError.
  void set_option(int level, int name, int value, const char* call);

 private:
  /// Tells those who use it that it is gone.
  void drop_uses() noexcept;

  lowlevel::OwnedDescriptor descriptor_;
  std::array<Use*, 2> uses_{};  ///< by direction
  Duration idle_timeout_ = Duration::max();
  /// The last read filled its buffer, or the last accept found a connection: another need not wait.
  bool has_more_ = false;
  std::uint8_t accepted_at_once_ = 0;  ///< in a row, without a wait
};

/// One operation on a socket, in one direction; it lives on the task's stack.  It follows the
/// socket when that is moved, and learns when it is closed.
class ASYNCIO_IO_API Socket::Use {
 public:
  /// Throws: BusyError if there is another one; ClosedError; InvalidStateError in another loop.
  Use(Socket& socket, lowlevel::Direction direction, const char* call);
  ~Use();
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

  /// Where it is now.  Throws: ClosedError if it was closed meanwhile.
  Socket& socket() const;
  int fd() const { return socket().fd(); }

  /// Parks the task until the socket is ready.
  /// Throws: ClosedError; TimeoutException after the idle timeout; Cancelled.
  void wait(lowlevel::CurrentTask self);
  /// As wait(), but only until `deadline`, whatever the idle timeout.  False if that has come.
  bool wait_until(lowlevel::CurrentTask self, TimePoint deadline);
  /// Parks the task for so long, or until the socket is closed.
  /// Throws: ClosedError; Cancelled.
  void pause(lowlevel::CurrentTask self, Duration time);

 private:
  friend class Socket;

  [[noreturn]] void throw_closed() const;

  Socket* socket_;  ///< null once it is closed
  lowlevel::Waiter* pausing_ = nullptr;
  const char* call_;
  lowlevel::Direction direction_;
};

}  // namespace asyncio::detail

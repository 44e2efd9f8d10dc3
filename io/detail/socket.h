// What every kind of socket is made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <asyncio/core/time.h>
#include <asyncio/io/bytes.h>
#include <asyncio/io/detail/channel.h>
#include <asyncio/io/endpoint.h>
#include <asyncio/io/export.h>

namespace asyncio::detail {

/// A socket of any family, connected, listening or neither.
class ASYNCIO_IO_API Socket : public Channel {
 public:
  using Channel::Channel;

  /// As Stream says.
  std::size_t read_some(std::span<std::byte> into, const char* call);
  void write_all(std::span<const ConstBytes> buffers, std::size_t* accepted, const char* call);
  void shutdown_write(const char* call);

  /// Ends what is written, reads and drops what comes until the peer's end, at most for `limit`,
  /// and closes: so the kernel has no reason to reset the connection, which would drop what the
  /// peer has not read yet.
  void finish(Duration limit, const char* call);
  /// Closes so that the peer learns of it by an error.
  void reset() noexcept;

  /// Of a listener: takes the next connection.  Goes on after errors of a single connection; while
  /// descriptors or memory are short, it tries again ever more rarely, and says so.
  /// Throws: IoError; BusyError; ClosedError; Cancelled, with no connection lost.
  Socket accept(const char* call);
  /// One that is waiting already, or nothing; also while a task is in accept().
  /// Throws: IoError; ClosedError; InvalidStateError in another loop.
  std::optional<Socket> try_accept(const char* call);

  /// Throws: IoError; ClosedError.
  Endpoint local(const char* call) const;
  Endpoint peer(const char* call) const;
  void set_option(int level, int name, int value, const char* call);

 private:
  std::uint8_t accepted_at_once_ = 0;  ///< in a row, without a wait
};

}  // namespace asyncio::detail

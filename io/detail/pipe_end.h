// What pipes and standard streams are made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <asyncio/io/bytes.h>
#include <asyncio/io/detail/channel.h>
#include <asyncio/io/export.h>

namespace asyncio::detail {

class BlockingIo;

/// One end of a pipe, or of what a program has inherited in place of one.
class ASYNCIO_IO_API PipeEnd : public Channel {
 public:
  /// How bytes get in and out.
  enum class Means : std::uint8_t {
    own,     ///< the descriptor does not block: nobody else depends on its flags
    socket,  ///< others do, but a socket can be told at each call not to block
    thread,  ///< nothing helps: a thread makes the calls, and the descriptor tells when it is done
  };

  /// Takes `fd` over.  Throws as Channel; the descriptor is the caller's then.
  PipeEnd(int fd, const char* call, Means means = Means::own) : Channel(fd, call), means_(means) {}
  /// By a thread: `bell` is what `io` rings.
  PipeEnd(int bell, const char* call, std::shared_ptr<BlockingIo> io)
      : Channel(bell, call), io_(std::move(io)), means_(Means::thread) {}

  /// As Stream says.
  std::size_t read_some(std::span<std::byte> into, const char* call);
  void wait_readable(const char* call);
  void write_all(std::span<const ConstBytes> buffers, std::size_t* accepted, const char* call);

  /// As Stream::channel().
  Channel* movable() noexcept { return means_ == Means::own ? this : nullptr; }

 private:
  std::shared_ptr<BlockingIo> io_;  ///< if by a thread
  Means means_;
};

}  // namespace asyncio::detail

#include <asyncio/io/send_file.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <vector>

#include <sys/sendfile.h>

#include <asyncio/core/errors.h>
#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/thread.h>
#include <asyncio/io/detail/channel.h>
#include <asyncio/io/internal/file_calls.h>
#include <asyncio/io/internal/sigpipe.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio {
namespace {

using detail::Channel;
using lowlevel::CurrentTask;
using lowlevel::Direction;

constexpr const char* send_call = "send_file";
constexpr std::uint64_t most_at_once = 256 * 1024;

/// Has a part of a file in memory, so that sending it does not wait for a disk.  A look at both
/// ends tells whether that is so already.
void bring_in(const File& file, std::uint64_t offset, std::uint64_t size) {
  std::array<std::byte, 1> byte;
  const bool first = detail::read_in_memory(file.fd(), byte, offset) >= 0;
  if (first && detail::read_in_memory(file.fd(), byte, offset + size - 1) >= 0) return;
  std::vector<std::byte> part(size);
  file.read_at(part, offset);
}

}  // namespace

std::uint64_t send_file(const File& file, std::uint64_t offset, std::uint64_t count,
                        TcpStream& to) {
  CurrentTask self = lowlevel::enter(send_call);
  if (file.is_closed()) throw ClosedError(std::string{send_call} + ": the file is closed");
  const File kept = file;  // open, whatever becomes of the other
  Channel::Use use{*to.channel(Direction::write), Direction::write, send_call};
  std::uint64_t sent = 0;
  std::uint64_t in_memory = 0;  // up to there
  while (sent < count) {
    if (sent >= in_memory) {
      lowlevel::enter(send_call);
      in_memory = sent + std::min(count - sent, most_at_once);
      bring_in(kept, offset + sent, in_memory - sent);
      self.spend();
    }
    off_t place = static_cast<off_t>(offset + sent);
    ssize_t got;
    {
      const detail::SigpipeBlocked quiet;
      got = ::sendfile(use.fd(), kept.fd(), &place, in_memory - sent);
    }
    if (got == 0) break;  // the end of the file
    if (got > 0) {
      sent += static_cast<std::uint64_t>(got);
    } else if (errno == EAGAIN) {
      use.wait(self);
    } else if (errno != EINTR) {
      detail::throw_io_error(send_call, use.fd());
    }
  }
  return sent;
}

}  // namespace asyncio

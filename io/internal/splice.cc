#include <asyncio/io/internal/splice.h>

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include <asyncio/io/detail/byte_buffer.h>
#include <asyncio/io/internal/sigpipe.h>
#include <asyncio/io/internal/system_error.h>

namespace asyncio::detail {

using lowlevel::CurrentTask;
using lowlevel::Direction;

namespace {

constexpr unsigned int flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
constexpr std::size_t most_at_once = 1 << 20;  // more than a pipe holds

}  // namespace

bool Splice::open() noexcept {
  if (in_.get() >= 0) return true;
  std::array<int, 2> fds{-1, -1};
  if (::pipe2(fds.data(), O_NONBLOCK | O_CLOEXEC) != 0) return usable_ = false;
  out_ = Fd{fds[0]};
  in_ = Fd{fds[1]};
  return true;
}

std::uint64_t Splice::move(CurrentTask self, Channel& from, Stream& to, const char* call) {
  if (!usable_ || !open()) return 0;
  std::uint64_t moved = 0;
  while (usable_) {
    lowlevel::enter(call);
    ssize_t got;
    {
      const Channel::Use use{from, Direction::read, call};
      do {
        got = ::splice(use.fd(), nullptr, in_.get(), nullptr, most_at_once, flags);
      } while (got < 0 && errno == EINTR);
      if (got < 0 && errno == EINVAL) usable_ = false;
      if (got < 0 && errno != EAGAIN && errno != EINVAL) throw_io_error(call, use.fd());
    }
    if (got <= 0) break;  // who reads by hand will find out why
    held_ = static_cast<std::size_t>(got);
    empty(self, to, call);
    moved += static_cast<std::uint64_t>(got);
    if (static_cast<std::size_t>(got) < ByteBuffer::block_size) break;
    self.spend();
  }
  return moved;
}

void Splice::empty(CurrentTask self, Stream& to, const char* call) {
  Channel* const target = to.channel(Direction::write);
  if (target == nullptr) throw_io_error(call, -1, EINVAL);
  for (bool by_hand = false; held_ > 0;) {
    if (by_hand) return empty_by_hand(to, call);
    Channel::Use use{*target, Direction::write, call};
    ssize_t sent;
    {
      const SigpipeBlocked quiet;
      sent = ::splice(out_.get(), nullptr, use.fd(), nullptr, held_, flags);
    }
    if (sent > 0) {
      held_ -= static_cast<std::size_t>(sent);
    } else if (sent == 0) {
      throw_io_error(call, use.fd(), EIO);
    } else if (errno == EINVAL) {
      by_hand = true;
      usable_ = false;
    } else if (errno == EAGAIN) {
      use.wait(self);
    } else if (errno != EINTR) {
      throw_io_error(call, use.fd());
    }
  }
}

void Splice::empty_by_hand(Stream& to, const char* call) {
  std::array<std::byte, 4096> piece;
  while (held_ > 0) {
    const ssize_t got = ::read(out_.get(), piece.data(), piece.size());
    if (got <= 0) throw_io_error(call, -1);
    std::size_t accepted = 0;
    to.write_all(ConstBytes{piece}.first(static_cast<std::size_t>(got)), &accepted);
    held_ -= static_cast<std::size_t>(got);
  }
}

}  // namespace asyncio::detail

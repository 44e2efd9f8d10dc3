#include <asyncio/io/detail/pipe_end.h>

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/io/internal/blocking_io.h>
#include <asyncio/io/internal/sigpipe.h>

namespace asyncio::detail {
namespace {

std::ptrdiff_t read_own(int fd, std::span<std::byte> into) {
  return ::read(fd, into.data(), into.size());
}

std::ptrdiff_t read_socket(int fd, std::span<std::byte> into) {
  return ::recv(fd, into.data(), into.size(), MSG_DONTWAIT);
}

std::ptrdiff_t write_own(int fd, std::span<const iovec> pieces) {
  return write_without_signal(fd, pieces);
}

std::ptrdiff_t write_socket(int fd, std::span<const iovec> pieces) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = pieces.size();
  return ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

}  // namespace

std::size_t PipeEnd::read_some(std::span<std::byte> into, const char* call) {
  if (means_ == Means::thread) return io_->read_some(*this, into, call);
  return Channel::read_some(into, means_ == Means::own ? &read_own : &read_socket, call);
}

void PipeEnd::wait_readable(const char* call) {
  if (means_ != Means::thread) return Channel::wait_readable(call);
  lowlevel::CurrentTask self = lowlevel::enter(call);
  check(call);
  self.spend();
}

void PipeEnd::write_all(std::span<const ConstBytes> buffers, std::size_t* accepted,
                        const char* call) {
  if (means_ == Means::thread) return io_->write_all(*this, buffers, accepted, call);
  Channel::write_all(buffers, accepted, means_ == Means::own ? &write_own : &write_socket, call);
}

}  // namespace asyncio::detail

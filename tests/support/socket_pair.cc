#include <asyncio/tests/support/socket_pair.h>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include <gtest/gtest.h>

#include <asyncio/asyncio.h>

namespace asyncio::test {

SocketPair::SocketPair() {
  EXPECT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd_));
}

SocketPair::~SocketPair() {
  close(0);
  close(1);
}

void SocketPair::write(int end, std::string_view bytes) const {
  ASSERT_EQ(static_cast<ssize_t>(bytes.size()),
            ::send(fd_[end], bytes.data(), bytes.size(), MSG_NOSIGNAL));
}

std::string SocketPair::read(int end) const {
  std::string all;
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t got = ::recv(fd_[end], buffer.data(), buffer.size(), 0);
    if (got <= 0) return all;
    all.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

void SocketPair::fill(int end) const {
  const std::string block(4096, 'x');
  while (::send(fd_[end], block.data(), block.size(), MSG_NOSIGNAL) > 0) {
  }
}

void SocketPair::close(int end) {
  if (fd_[end] < 0) return;
  try {
    notify_closing(fd_[end]);
  } catch (const NoRunningLoopError&) {  // nobody to tell
  }
  close_silently(end);
}

void SocketPair::close_silently(int end) {
  if (fd_[end] >= 0) ::close(fd_[end]);
  fd_[end] = -1;
}

}  // namespace asyncio::test

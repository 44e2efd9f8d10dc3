// Definitions of a program's own come before those of the C library, which these pass calls on to.
#include <asyncio/tests/io/system_calls.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

namespace asyncio::test {
namespace interposed {

struct Calls {
  std::atomic<std::size_t> times = 0;
  std::atomic<std::size_t> spared = 0;
  std::atomic<std::size_t> failing = 0;
  std::atomic<int> error = 0;
};

constinit std::array<Calls, 10> all_calls{};
constinit std::atomic<std::size_t> pieces_seen = 0;
constinit std::atomic<std::size_t> news = 0;

Calls& calls_of(Call call) { return all_calls[static_cast<std::size_t>(call)]; }

/// Counts one.  Returns whether it is to fail.
bool must_fail(Call call) {
  Calls& of_it = calls_of(call);
  ++of_it.times;
  if (of_it.failing == 0) return false;
  if (of_it.spared > 0) {
    --of_it.spared;
    return false;
  }
  --of_it.failing;
  errno = of_it.error;
  return true;
}

/// What the program would call without this file.
template <class F>
F* real(F*, const char* name) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace interposed

std::size_t times(Call call) { return interposed::calls_of(call).times; }

void fail_next(Call call, int error, std::size_t count) {
  interposed::calls_of(call).error = error;
  interposed::calls_of(call).failing = count;
}

void fail_after(Call call, std::size_t spared, int error) {
  interposed::calls_of(call).spared = spared;
  fail_next(call, error);
}

std::size_t most_pieces() { return interposed::pieces_seen.exchange(0); }

std::size_t allocations() { return interposed::news; }

}  // namespace asyncio::test

namespace interposed = asyncio::test::interposed;

extern "C" {

int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  static const auto real = interposed::real(&::accept4, "accept4");
  const bool fails = interposed::must_fail(asyncio::test::Call::accept4);
  return fails ? -1 : real(fd, address, size, flags);
}

int epoll_ctl(int set, int what, int fd, epoll_event* event) noexcept {
  static const auto real = interposed::real(&::epoll_ctl, "epoll_ctl");
  const bool fails = interposed::must_fail(asyncio::test::Call::epoll_ctl);
  return fails ? -1 : real(set, what, fd, event);
}

ssize_t preadv2(int fd, const iovec* pieces, int count, off_t offset, int flags) {
  static const auto real = interposed::real(&::preadv2, "preadv2");
  const bool fails = interposed::must_fail(asyncio::test::Call::preadv2);
  return fails ? -1 : real(fd, pieces, count, offset, flags);
}

ssize_t recv(int fd, void* into, size_t size, int flags) {
  static const auto real = interposed::real(&::recv, "recv");
  const bool fails = interposed::must_fail(asyncio::test::Call::recv);
  return fails ? -1 : real(fd, into, size, flags);
}

ssize_t send(int fd, const void* from, size_t size, int flags) {
  static const auto real = interposed::real(&::send, "send");
  const bool fails = interposed::must_fail(asyncio::test::Call::send);
  return fails ? -1 : real(fd, from, size, flags);
}

ssize_t sendfile(int to, int from, off_t* offset, size_t count) noexcept {
  static const auto real = interposed::real(&::sendfile, "sendfile");
  const bool fails = interposed::must_fail(asyncio::test::Call::sendfile);
  return fails ? -1 : real(to, from, offset, count);
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  static const auto real = interposed::real(&::sendmsg, "sendmsg");
  std::atomic<std::size_t>& seen = interposed::pieces_seen;
  seen = std::max<std::size_t>(seen, message->msg_iovlen);
  const bool fails = interposed::must_fail(asyncio::test::Call::sendmsg);
  return fails ? -1 : real(fd, message, flags);
}

int setsockopt(int fd, int level, int name, const void* value, socklen_t size) noexcept {
  static const auto real = interposed::real(&::setsockopt, "setsockopt");
  const bool fails = interposed::must_fail(asyncio::test::Call::setsockopt);
  return fails ? -1 : real(fd, level, name, value, size);
}

ssize_t splice(int from, off64_t* from_offset, int to, off64_t* to_offset, size_t count,
               unsigned int flags) {
  static const auto real = interposed::real(&::splice, "splice");
  const bool fails = interposed::must_fail(asyncio::test::Call::splice);
  return fails ? -1 : real(from, from_offset, to, to_offset, count, flags);
}

int waitid(idtype_t kind, id_t id, siginfo_t* info, int options) {
  static const auto real = interposed::real(&::waitid, "waitid");
  if (!interposed::must_fail(asyncio::test::Call::waitid)) return real(kind, id, info, options);
  *info = {};
  return errno == 0 ? 0 : -1;
}

}  // extern "C"

[[gnu::noinline]] void* operator new(std::size_t size) {
  ++interposed::news;
  if (void* memory = std::malloc(std::max<std::size_t>(size, 1))) return memory;
  throw std::bad_alloc{};
}
// Not inlined, or g++ would hold it against what it knows of the usual ones.
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

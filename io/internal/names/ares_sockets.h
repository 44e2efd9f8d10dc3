// The sockets and the timer of c-ares, as one descriptor that a task can wait for.
#pragma once

#include <array>
#include <cstdint>

#include <ares.h>
#include <sys/epoll.h>
#include <sys/types.h>

#include <asyncio/core/lowlevel/checkpoint.h>
#include <asyncio/core/lowlevel/descriptor.h>
#include <asyncio/core/time.h>
#include <asyncio/io/fd.h>

namespace asyncio::detail {

/// How c-ares is to call the kernel: without a signal for a broken connection, and so that no query
/// gets the error of another.
const ares_socket_functions& ares_socket_calls() noexcept;

/// An epoll set of its own.  c-ares makes and closes sockets as it likes, so the loop is better
/// told of none: it would have to trust numbers that stand for something else by then.
class AresSockets {
 public:
  /// Throws: IoError.
  explicit AresSockets(const char* call);

  /// What c-ares wants to know of a socket; nothing when it is about to close it.
  void watch(int fd, bool readable, bool writable) noexcept;
  /// When it is to be woken although nothing has come; nothing pending: Duration::max().  Real
  /// time, as c-ares has no other.
  void set_timer(Duration from_now) noexcept;

  /// Waits until a socket is ready, or the timer has come.
  /// Throws: Cancelled; ClosedError; IoError if the kernel would not watch a socket.
  void wait(lowlevel::CurrentTask self, const char* call);
  /// Calls `visit(fd, readable, writable)` for the sockets that are ready.
  template <class Visit>
  void visit_ready(Visit&& visit) {
    std::array<epoll_event, 16> events;
    const int count = look(events);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      if (event.data.fd == timer_.get()) continue;
      constexpr std::uint32_t broken = EPOLLERR | EPOLLHUP;
      visit(event.data.fd, (event.events & (EPOLLIN | broken)) != 0,
            (event.events & (EPOLLOUT | broken)) != 0);
    }
  }

  /// Who waits gets ClosedError.
  void close() noexcept;
  /// Was it made in this process, and not in the one this was forked from?  The set there is the
  /// same one, and what is taken out of it here would be missing there.
  bool is_of_this_process() const noexcept;

 private:
  int look(std::array<epoll_event, 16>& events) noexcept;

  lowlevel::OwnedDescriptor set_;
  Fd timer_;
  pid_t process_;
  int error_ = 0;  ///< of the first socket that could not be watched
};

}  // namespace asyncio::detail

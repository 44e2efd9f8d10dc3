// Facts about libevent's bases (2.1.12, its epoll mechanism) that shape this file:
//  * The batching variant of epoll, "changelist", loses the errors of watching and is unsafe with
//    dup().  An environment variable could turn it on, or turn epoll off; select and poll in
//    libevent lack half of what we promise.  Hence IGNORE_ENV, and O1, a feature that only epoll
//    has here.
//  * The default clock is CLOCK_MONOTONIC_COARSE, behind by up to a tick of 1 to 10 ms: a timer may
//    fire that much early.  The precise clock costs a system call more for every wait.  So the
//    backend's timers get one tick added.
//  * libev's library exports an imitation of event_add, event_base_loop and others.  If it comes
//    first in the order of linking, libevent's own calls end there too, and crash.  Our build puts
//    libevent first; a program that links libev itself can still spoil that, so it is checked.
//  * A base has a pair of sockets for signals, asked for or not, and without descriptors for them
//    libevent ends the process by exit(1).  So it is tried first whether there are enough.
#include <asyncio/backends/libevent/event_base.h>
#include <asyncio/backends/libevent/version.h>

#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <new>

#include <asyncio/core/errors.h>

namespace asyncio::backends {
namespace {

struct ConfigFree {
  void operator()(event_config* config) const noexcept { event_config_free(config); }
};

/// Whether the descriptors that a base needs can be opened: for epoll, and for its pair of sockets.
bool enough_descriptors() noexcept {
  std::array<int, 3> tried{};
  for (int& fd : tried) fd = ::eventfd(0, EFD_CLOEXEC);
  bool enough = true;
  for (const int fd : tried) {
    if (fd < 0) {
      enough = false;
    } else {
      ::close(fd);
    }
  }
  return enough;
}

}  // namespace

BasePointer make_base() {
  if (!detail::is_libevent_itself()) {
    throw BackendError(
        "libev's imitation of libevent hides libevent in this program: link libevent_core before "
        "libev, or use the backend \"ev\"");
  }
  if (!enough_descriptors()) throw BackendError("libevent needs three descriptors for a base");
  const std::unique_ptr<event_config, ConfigFree> config(event_config_new());
  if (!config) throw std::bad_alloc();
  event_config_set_flag(config.get(), EVENT_BASE_FLAG_NOLOCK);  // one thread only
  event_config_set_flag(config.get(), EVENT_BASE_FLAG_IGNORE_ENV);
  event_config_set_flag(config.get(), EVENT_BASE_FLAG_NO_CACHE_TIME);  // we never ask for it
  event_config_require_features(config.get(), EV_FEATURE_O1);
  BasePointer base(event_base_new_with_config(config.get()));
  if (!base) throw BackendError("libevent cannot create an event base: out of descriptors?");
  return base;
}

Duration clock_tick() {
  timespec tick{};
  if (::clock_getres(CLOCK_MONOTONIC_COARSE, &tick) != 0) return std::chrono::milliseconds(10);
  return std::chrono::seconds(tick.tv_sec) + std::chrono::nanoseconds(tick.tv_nsec);
}

}  // namespace asyncio::backends

// libevent as one writes against it by hand, for the reference rows.  As raw_libev.h.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/time.h>

#include <cmath>
#include <limits>
#include <memory>
#include <new>
#include <string_view>

#include "raw_until.h"

namespace bench::raw {

inline timeval to_timeval(double seconds) {
  timeval result{};
  result.tv_sec = static_cast<time_t>(seconds);
  result.tv_usec = static_cast<suseconds_t>((seconds - std::floor(seconds)) * 1e6);
  return result;
}

class PreciseLibevent;

class Libevent {
 public:
  using Precise = PreciseLibevent;
  static constexpr double clock_lag = 0;
  static constexpr std::string_view name = "raw_libevent";
  static constexpr int descriptor_limit = std::numeric_limits<int>::max();

  explicit Libevent(int more_flags = 0) {
    const std::unique_ptr<event_config, decltype(&event_config_free)> config(event_config_new(),
                                                                             event_config_free);
    event_config_set_flag(config.get(), EVENT_BASE_FLAG_NOLOCK);
    event_config_set_flag(config.get(), EVENT_BASE_FLAG_IGNORE_ENV | more_flags);
    event_config_require_features(config.get(), EV_FEATURE_O1);  // epoll
    base_ = event_base_new_with_config(config.get());
    if (base_ == nullptr) throw std::bad_alloc();
  }
  Libevent(const Libevent&) = delete;
  Libevent& operator=(const Libevent&) = delete;
  ~Libevent() { event_base_free(base_); }

  event_base* native() { return base_; }

  void run() { event_base_dispatch(base_); }
  void stop() { event_base_loopbreak(base_); }
  void poll() { event_base_loop(base_, EVLOOP_ONCE | EVLOOP_NONBLOCK); }

  template <class Derived>
  class Io {
   public:
    void start(Libevent& loop, int fd, Until until = Until::readable) {
      const short what = until == Until::readable ? EV_READ : EV_WRITE;
      event_assign(&native_, loop.base_, fd, static_cast<short>(what | EV_PERSIST), call, this);
      event_add(&native_, nullptr);
    }
    void stop(Libevent& /*loop*/) { event_del(&native_); }

   private:
    static void call(evutil_socket_t /*fd*/, short /*what*/, void* self) {
      static_cast<Derived*>(static_cast<Io*>(self))->on_ready();
    }
    event native_;
  };

  /// As libevent's manual advises for an idle timeout: it belongs to the persistent event, and
  /// begins anew whenever that becomes active.  on_time() is called when it is over.
  template <class Derived>
  class IoInTime {
   public:
    void start(Libevent& loop, int fd, double seconds) {
      const timeval idle = to_timeval(seconds);
      event_assign(&native_, loop.base_, fd, EV_READ | EV_PERSIST, call, this);
      event_add(&native_, &idle);
    }
    void stop(Libevent& /*loop*/) { event_del(&native_); }

   private:
    static void call(evutil_socket_t /*fd*/, short what, void* self) {
      auto* const derived = static_cast<Derived*>(static_cast<IoInTime*>(self));
      if ((what & EV_TIMEOUT) != 0) {
        derived->on_time();
      } else {
        derived->on_ready();
      }
    }
    event native_;
  };

  /// As libevent's manual advises for many timers of one length: they get a queue of their own.
  void expect_many_timers_of(double seconds) {
    const timeval delay = to_timeval(seconds);
    common_seconds_ = seconds;
    common_ = *event_base_init_common_timeout(base_, &delay);
  }

  template <class Derived>
  class Timer {
   public:
    explicit Timer(Libevent& loop) : loop_(loop) {
      evtimer_assign(&native_, loop.base_, call, this);
    }
    void start(double seconds) {
      const timeval delay = seconds == loop_.common_seconds_ ? loop_.common_ : to_timeval(seconds);
      event_add(&native_, &delay);
    }
    void restart(double seconds) { start(seconds); }
    void stop() { event_del(&native_); }

   private:
    static void call(evutil_socket_t /*fd*/, short /*what*/, void* self) {
      static_cast<Derived*>(static_cast<Timer*>(self))->on_time();
    }
    Libevent& loop_;
    event native_;
  };

 private:
  event_base* base_;
  double common_seconds_ = -1;
  timeval common_{};
};

/// As a program sets it up that needs short timers: they cost a system call more for each wait.
class PreciseLibevent : public Libevent {
 public:
  PreciseLibevent() : Libevent(EVENT_BASE_FLAG_PRECISE_TIMER) {}
};

}  // namespace bench::raw

// libev as one writes against it by hand, for the reference rows.
#pragma once

#include <ev.h>

#include <limits>
#include <new>
#include <string_view>

#include "raw_until.h"

namespace bench::raw {

/// The four raw loops have one face, so that each reference is written once; everything in it is
/// resolved by the compiler.
///
/// `class Watcher : Loop::Io<Watcher>` has on_ready() called while its descriptor is
/// readable (or writable);
/// `class Alarm : Loop::Timer<Alarm>` has on_time() called;
/// `Precise` is the loop as a program sets it up that needs short timers;
/// `clock_lag`, in seconds, is how much more a timer has to be asked for so that it never comes
/// early.
class Libev {
 public:
  using Precise = Libev;
  static constexpr double clock_lag = 0;
  static constexpr std::string_view name = "raw_libev";
  static constexpr int descriptor_limit = std::numeric_limits<int>::max();

  Libev() : loop_(ev_loop_new(static_cast<unsigned>(EVBACKEND_EPOLL) | EVFLAG_NOENV)) {
    if (loop_ == nullptr) throw std::bad_alloc();
  }
  Libev(const Libev&) = delete;
  Libev& operator=(const Libev&) = delete;
  ~Libev() { ev_loop_destroy(loop_); }

  struct ev_loop* native() {
    return loop_;
  }

  /// Until stop(), or until nothing is left that could happen.
  void run() { ev_run(loop_, 0); }
  void stop() { ev_break(loop_, EVBREAK_ALL); }
  /// One look, without waiting.
  void poll() { ev_run(loop_, EVRUN_NOWAIT); }

  template <class Derived>
  class Io {
   public:
    void start(Libev& loop, int fd, Until until = Until::readable) {
      ev_io_init(&native_, call, fd, until == Until::readable ? EV_READ : EV_WRITE);
      native_.data = this;
      ev_io_start(loop.loop_, &native_);
    }
    void stop(Libev& loop) { ev_io_stop(loop.loop_, &native_); }

   private:
    static void call(struct ev_loop* /*loop*/, ev_io* native, int /*events*/) {
      static_cast<Derived*>(static_cast<Io*>(native->data))->on_ready();
    }
    ev_io native_;
  };

  template <class Derived>
  class Timer {
   public:
    explicit Timer(Libev& loop) : loop_(loop.loop_) {
      ev_timer_init(&native_, call, 0, 0);
      native_.data = this;
    }
    void start(double seconds) {
      ev_timer_set(&native_, seconds, 0);
      ev_timer_start(loop_, &native_);
    }
    /// As libev's manual advises for a timeout that is moved again and again.
    void restart(double seconds) {
      native_.repeat = seconds;
      ev_timer_again(loop_, &native_);
    }
    void stop() { ev_timer_stop(loop_, &native_); }

   private:
    static void call(struct ev_loop* /*loop*/, ev_timer* native, int /*events*/) {
      static_cast<Derived*>(static_cast<Timer*>(native->data))->on_time();
    }
    struct ev_loop* loop_;
    ev_timer native_;
  };

 private:
  struct ev_loop* loop_;
};

}  // namespace bench::raw

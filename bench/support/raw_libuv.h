// libuv as one writes against it by hand: a peer, not a reference, with the same face.  As
// raw_libev.h.
#pragma once

#include <uv.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>

#include "raw_until.h"

namespace bench::raw {

class Libuv {
 public:
  using Precise = Libuv;
  static constexpr double clock_lag = 0.001;  // it is cut to whole milliseconds
  static constexpr std::string_view name = "libuv";
  static constexpr int descriptor_limit = std::numeric_limits<int>::max();

  Libuv() { uv_loop_init(&loop_); }
  Libuv(const Libuv&) = delete;
  Libuv& operator=(const Libuv&) = delete;
  ~Libuv() {
    uv_run(&loop_, UV_RUN_DEFAULT);  // what is being closed ends in the loop
    uv_loop_close(&loop_);
  }

  uv_loop_t* native() { return &loop_; }

  void run() { uv_run(&loop_, UV_RUN_DEFAULT); }
  void stop() { uv_stop(&loop_); }
  void poll() { uv_run(&loop_, UV_RUN_NOWAIT); }

  /// A handle is libuv's until it has been closed, which takes a turn of the loop.
  template <class Handle>
  static void close(Handle* handle) {
    uv_close(reinterpret_cast<uv_handle_t*>(handle),
             [](uv_handle_t* closed) { delete reinterpret_cast<Handle*>(closed); });
  }

  template <class Derived>
  class Io {
   public:
    void start(Libuv& loop, int fd, Until until = Until::readable) {
      native_ = new uv_poll_t;
      native_->data = this;
      uv_poll_init(&loop.loop_, native_, fd);
      uv_poll_start(native_, until == Until::readable ? UV_READABLE : UV_WRITABLE, call);
    }
    void stop(Libuv& /*loop*/) { close(native_); }

   private:
    static void call(uv_poll_t* native, int /*status*/, int /*events*/) {
      static_cast<Derived*>(static_cast<Io*>(native->data))->on_ready();
    }
    uv_poll_t* native_ = nullptr;
  };

  /// libuv's timers count whole milliseconds.
  template <class Derived>
  class Timer {
   public:
    explicit Timer(Libuv& loop) : native_(new uv_timer_t) {
      uv_timer_init(&loop.loop_, native_.get());
      native_->data = this;
    }
    void start(double seconds) {
      const auto ms = static_cast<std::uint64_t>(std::ceil(seconds * 1000));
      uv_timer_start(native_.get(), call, ms, 0);
    }
    void restart(double seconds) { start(seconds); }
    void stop() { uv_timer_stop(native_.get()); }

   private:
    struct Close {
      void operator()(uv_timer_t* timer) const { close(timer); }
    };
    static void call(uv_timer_t* native) {
      static_cast<Derived*>(static_cast<Timer*>(native->data))->on_time();
    }
    std::unique_ptr<uv_timer_t, Close> native_;
  };

 private:
  uv_loop_t loop_;
};

}  // namespace bench::raw

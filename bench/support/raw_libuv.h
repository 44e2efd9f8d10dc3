// libuv as one writes against it by hand: a peer, not a reference, with the same face.  As
// raw_libev.h.
#pragma once

#include <uv.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>

#include "raw_until.h"

namespace bench::raw {

class Libuv {
 public:
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
    explicit Timer(Libuv& loop) {
      uv_timer_init(&loop.loop_, &native_);
      native_.data = this;
    }
    Timer(Timer&&) = default;  // for containers that have reserved; never called
    ~Timer() {
      uv_close(reinterpret_cast<uv_handle_t*>(&native_), nullptr);
      uv_run(native_.loop, UV_RUN_NOWAIT);
    }
    void start(double seconds) {
      uv_timer_start(&native_, call, static_cast<std::uint64_t>(std::ceil(seconds * 1000)), 0);
    }
    void restart(double seconds) { start(seconds); }
    void stop() { uv_timer_stop(&native_); }

   private:
    static void call(uv_timer_t* native) {
      static_cast<Derived*>(static_cast<Timer*>(native->data))->on_time();
    }
    uv_timer_t native_;
  };

 private:
  uv_loop_t loop_;
};

}  // namespace bench::raw

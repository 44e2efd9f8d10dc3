// Work for a raw loop from other threads, as one writes it by hand.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "descriptors.h"
#include "raw_loops.h"

namespace bench::raw {

/// Has on_wake() called on the loop's thread soon after wake() on any.
template <class Loop, class Derived>
class Wakeup {
 public:
  explicit Wakeup(Loop& loop) : watch_(*this), loop_(loop) { watch_.start(loop, event_.get()); }
  ~Wakeup() { watch_.stop(loop_); }
  void wake() { ::eventfd_write(event_.get(), 1); }

 private:
  struct Watch : Loop::template Io<Watch> {
    explicit Watch(Wakeup& owner) : wakeup(owner) {}
    void on_ready() {
      eventfd_t count = 0;
      ::eventfd_read(wakeup.event_.get(), &count);
      static_cast<Derived&>(wakeup).on_wake();
    }
    Wakeup& wakeup;
  };
  Fd event_{checked(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), "eventfd")};
  Watch watch_;
  Loop& loop_;
};

#if BENCH_HAVE_LIBEV
/// libev has this built in.
template <class Derived>
class Wakeup<Libev, Derived> {
 public:
  explicit Wakeup(Libev& loop) : loop_(loop.native()) {
    ev_async_init(&native_, call);
    native_.data = this;
    ev_async_start(loop_, &native_);
  }
  ~Wakeup() { ev_async_stop(loop_, &native_); }
  void wake() { ev_async_send(loop_, &native_); }

 private:
  static void call(struct ev_loop* /*loop*/, ev_async* native, int /*events*/) {
    static_cast<Derived*>(static_cast<Wakeup*>(native->data))->on_wake();
  }
  struct ev_loop* loop_;
  ev_async native_;
};
#endif

#if BENCH_HAVE_LIBUV
/// And so has libuv.
template <class Derived>
class Wakeup<Libuv, Derived> {
 public:
  explicit Wakeup(Libuv& loop) : native_(new uv_async_t) {
    uv_async_init(loop.native(), native_, call);
    native_->data = this;
  }
  ~Wakeup() { Libuv::close(native_); }
  void wake() { uv_async_send(native_); }

 private:
  static void call(uv_async_t* native) {
    static_cast<Derived*>(static_cast<Wakeup*>(native->data))->on_wake();
  }
  uv_async_t* native_;
};
#endif

/// A queue under a lock; a post that finds it empty wakes the loop.
template <class Loop>
class Mailbox : public Wakeup<Loop, Mailbox<Loop>> {
 public:
  using Wakeup<Loop, Mailbox>::Wakeup;

  void post(std::function<void()> callback) {
    bool was_empty = false;
    {
      const std::lock_guard lock(mutex_);
      was_empty = posted_.empty();
      posted_.push_back(std::move(callback));
    }
    if (was_empty) this->wake();
  }

  void on_wake() {
    {
      const std::lock_guard lock(mutex_);
      taken_.swap(posted_);
    }
    for (const auto& callback : taken_) callback();
    taken_.clear();
  }

 private:
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
  std::vector<std::function<void()>> taken_;
};

}  // namespace bench::raw

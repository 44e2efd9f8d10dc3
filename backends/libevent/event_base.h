// The base that the libevent backend works on: one of its own, or a host's.
#pragma once

#include <memory>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <asyncio/core/time.h>

namespace asyncio::backends {

struct BaseFree {
  void operator()(event_base* base) const noexcept { event_base_free(base); }
};
struct EventFree {
  void operator()(event* ev) const noexcept { event_free(ev); }
};
using BasePointer = std::unique_ptr<event_base, BaseFree>;
using EventPointer = std::unique_ptr<event, EventFree>;

/// Throws: BackendError; std::bad_alloc.
BasePointer make_base();

/// A tick of the clock that libevent's timers go by.
Duration clock_tick();

/// An event in a host's base by which we see whether that still lives.
///
/// It never comes, and it does not keep the host's run from ending: it is marked as libevent marks
/// its own.
class SignOfLife {
 public:
  /// Throws: BackendError.
  explicit SignOfLife(event_base* base);
  ~SignOfLife();
  SignOfLife(const SignOfLife&) = delete;
  SignOfLife& operator=(const SignOfLife&) = delete;

  bool is_seen() const noexcept { return (event_.ev_evcallback.evcb_flags & EVLIST_INSERTED) != 0; }

 private:
  int never_ready_;
  event event_{};
};

}  // namespace asyncio::backends

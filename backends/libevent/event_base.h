// The base that the libevent backend works on.
#pragma once

#include <memory>

#include <event2/event.h>

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

}  // namespace asyncio::backends

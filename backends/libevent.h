// Tasks inside a program that runs libevent.
#pragma once

#include <memory>

#include <event2/event.h>

#include <asyncio/core/attach_options.h>
#include <asyncio/core/event_loop_interface.h>
#include <asyncio/core/export.h>

namespace asyncio {

/// A backend that lives in `host`, for an EventLoop: `EventLoop loop{attach(base)};`
///
/// The host calls event_base_loop or event_base_dispatch as before.  Ready tasks run in its turns,
/// each time for about `options.budget`.  As long as something of the guest's could still happen (a
/// task is alive, a callback or timer is set, a LoopHandle is held), the base has an event of the
/// guest's and its dispatch goes on; an idle guest has none that libevent counts, nor any that
/// could wake it.  EventLoop::shutdown() ends the tasks and leaves the host; so does the
/// destructor.  Either may also come after event_base_free(host): nothing of the base is touched
/// then, and tasks wait until then.
///
/// The guest's events have the lowest of the base's priorities.  Signals and event_base_loopbreak
/// stay the host's.  After a fork the child calls event_reinit(host) and EventLoop::after_fork().
/// Throws: std::invalid_argument for null; BackendError.
/// Threads: the one that runs `host`.
ASYNCIO_API std::unique_ptr<EventLoopInterface> attach(struct event_base* host,
                                                       const AttachOptions& options = {});

}  // namespace asyncio

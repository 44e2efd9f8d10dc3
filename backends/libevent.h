// Tasks inside a program that runs libevent.
#pragma once

#include <memory>

#include <event2/event.h>

#include <asyncio/backends/libevent/guest.h>
#include <asyncio/backends/libevent/version.h>
#include <asyncio/core/attach_options.h>
#include <asyncio/core/event_loop_interface.h>

namespace asyncio {

/// A backend that lives in `host`, for an EventLoop: `EventLoop loop{attach(base)};`
///
/// The host calls event_base_loop or event_base_dispatch as before.  Ready tasks run in its turns,
/// each time for about `options.budget`; a call with EVLOOP_NONBLOCK, which goes on while anything
/// is ready, ends after a few of them.  As long as something of the guest's could still happen (a
/// task is alive, a callback or timer is set, a LoopHandle is held), the base has an event of the
/// guest's and its dispatch goes on, unless `options.keeps_host_running` is false; an idle guest
/// has none that libevent counts, nor any that could wake it.  EventLoop::shutdown() ends the tasks
/// and leaves the host; so does the destructor.  Either may also come after event_base_free(host):
/// nothing of the base is touched then, and tasks wait until then.
///
/// Tasks run at the lowest of the base's priorities, also if their number changes.  Signals and
/// event_base_loopbreak stay the host's.  After a fork the child calls event_reinit(host) and
/// EventLoop::after_fork().
///
/// The guest is compiled with the program and speaks through its <event2/event.h>, so libevent may
/// be a copy of the program's own.  Locks and the flags of the base are as the program likes.
/// Throws: std::invalid_argument for null; BackendError.
/// Threads: one that runs `host`, or sets it up.
[[maybe_unused]] static inline std::unique_ptr<EventLoopInterface> attach(
    struct event_base* host, const AttachOptions& options = {}) {
  detail::check_libevent(host);
  return std::make_unique<detail::LibeventGuest>(host, options);
}

}  // namespace asyncio

// Tasks inside a program that runs libev.
#pragma once

#include <memory>

#include <ev.h>

#if !EV_MULTIPLICITY
#error "attach(ev_loop*) needs EV_MULTIPLICITY; in this program use asyncio::attach_by_descriptor()"
#else

#include <asyncio/backends/libev/guest.h>
#include <asyncio/backends/libev/layout.h>
#include <asyncio/core/attach_options.h>
#include <asyncio/core/event_loop_interface.h>

namespace asyncio {

/// A backend that lives in `host`, for an EventLoop:
/// `EventLoop loop{attach(ev_default_loop(0))};`
///
/// The host calls ev_run as before.  Ready tasks run in its turns, before it blocks, each time for
/// about `options.budget`.  As long as something of the guest's could still happen (a task is
/// alive, a callback or timer is set, a LoopHandle is held), ev_run goes on, unless
/// `options.keeps_host_running` is false; an idle guest has no watcher that could keep or wake it.
/// EventLoop::shutdown() ends the tasks and leaves the host; so does the destructor, and so does
/// ev_loop_destroy(host), after which tasks wait for shutdown().
///
/// In each turn the host's watchers come first: the guest's have the priority EV_MINPRI.  The host
/// may watch descriptors that tasks wait on.  Signals, SIGCHLD and ev_break stay the host's.  After
/// a fork the child calls ev_loop_fork(host) and EventLoop::after_fork().
///
/// The guest is compiled with the program and speaks through its ev.h, so libev may be a copy of
/// the program's own, in any configuration with EV_MULTIPLICITY.  Include that ev.h first.  Without
/// cleanup watchers (EV_CLEANUP_ENABLE) call shutdown() before ev_loop_destroy.
/// Throws: std::invalid_argument for null; BackendError if the library that the program runs is not
/// the one that its ev.h tells of.
/// Threads: one that runs `host`, or sets it up.
[[maybe_unused]] static inline std::unique_ptr<EventLoopInterface> attach(
    struct ev_loop* host, const AttachOptions& options = {}) {
  detail::check_libev(host);
  return std::make_unique<detail::LibevGuest>(host, options);
}

}  // namespace asyncio

#endif

// Tasks inside a program whose loop is neither libev's nor libevent's: poll, epoll, GLib, Qt.
#pragma once

#include <memory>

#include <asyncio/core/event_loop_interface.h>
#include <asyncio/core/export.h>

namespace asyncio {

/// A backend that a host of any kind drives by one descriptor, for an EventLoop:
/// `EventLoop loop{attach_by_descriptor()};`
///
/// The host watches loop.native_handle().fd for reading, and calls loop.process() when it is
/// readable.  That is all: work from the host's own callbacks, from other threads, from descriptors
/// and from deadlines makes it readable.  EventLoop::shutdown() ends the tasks; so does the
/// destructor.  After a fork the child calls EventLoop::after_fork() and watches the descriptor
/// that native_handle() then returns.
/// Throws: BackendError.
/// Threads: the one that runs the host.
/// Cost: four descriptors, with those of the loop.
ASYNCIO_API std::unique_ptr<EventLoopInterface> attach_by_descriptor();

}  // namespace asyncio

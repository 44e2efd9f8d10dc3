// A program with a loop of its own, in which an EventLoop is the guest.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include <asyncio/core/attach_options.h>
#include <asyncio/core/event_loop_interface.h>
#include <asyncio/core/time.h>

namespace asyncio::test {

/// The same over libev and libevent.  Its timers and watches are the host's own.
class Host {
 public:
  virtual ~Host() = default;

  virtual std::unique_ptr<EventLoopInterface> attach(const AttachOptions& options = {}) = 0;

  /// Runs until nothing is left that could happen, or end_run().
  /// False if it refuses.
  virtual bool run() = 0;
  /// Does what is due, and blocks for nothing.
  virtual void look() = 0;
  /// Makes the current run() return.
  virtual void end_run() = 0;

  virtual void after(Duration delay, std::function<void()> callback) = 0;
  /// Once.
  virtual void when_readable(int fd, std::function<void()> callback) = 0;
  /// Timers and watches that have not fired.
  virtual std::size_t pending() const = 0;

  /// In the child of a fork.
  virtual void after_fork() = 0;
  /// Destroys its loop; though guests are in it, if it tells them.
  virtual void destroy() = 0;
  virtual bool tells_that_it_goes() const = 0;
  /// May it be run by a callback that it has called?
  virtual bool may_be_nested() const = 0;
};

std::unique_ptr<Host> make_libev_host();
std::unique_ptr<Host> make_libevent_host();

}  // namespace asyncio::test

// A program with a loop of its own, in which an EventLoop is the guest.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include <asyncio/core/attach_options.h>
#include <asyncio/core/event_loop.h>
#include <asyncio/core/event_loop_interface.h>
#include <asyncio/core/time.h>

namespace asyncio::test {

/// The same over libev, libevent and poll.  Its timers and watches are the host's own.
class Host {
 public:
  virtual ~Host() = default;

  virtual std::unique_ptr<EventLoopInterface> attach(const AttachOptions& options = {}) = 0;

  /// What a program has to do itself for a guest by descriptor: start calling it, and stop.
  virtual void take_in(EventLoop& /*loop*/, const AttachOptions& /*options*/) {}
  virtual void let_go(EventLoop& /*loop*/) {}

  /// Runs until nothing is left that could happen, or end_run().
  /// Returns false if it refuses.
  virtual bool run() = 0;
  /// Does what is due, and blocks for nothing.
  virtual void look() = 0;
  /// As a program that draws pictures does before each: does what is due, as long as anything is.
  virtual void poll_once() = 0;
  /// Makes the current run() return.
  virtual void end_run() = 0;

  virtual void after(Duration delay, std::function<void()> callback) = 0;
  /// Once.
  virtual void when_readable(int fd, std::function<void()> callback) = 0;
  /// Timers and watches that have not fired.
  virtual std::size_t pending() const = 0;

  /// In the child of a fork.
  virtual void after_fork() = 0;
  /// Destroys its loop, though guests are in it.
  virtual void destroy() = 0;
  /// May it be run by a callback that it has called?
  virtual bool may_be_nested() const = 0;
};

/// Does the environment variable ASYNCIO_TEST_HOST name one?
bool is_host_wanted();
/// Makes a host of the kind that it names: libev, libevent or poll.  Each has a file of its own.
/// Throws: std::invalid_argument if there is none of that name.
std::unique_ptr<Host> make_host();

/// An EventLoop in `host`, which must outlive it.
class Guest {
 public:
  explicit Guest(Host& host, const AttachOptions& options = {},
                 const LoopOptions& loop_options = {});
  ~Guest();
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;

  EventLoop* get() const noexcept { return loop_.get(); }
  EventLoop* operator->() const noexcept { return loop_.get(); }
  void reset();

 private:
  Host& host_;
  std::unique_ptr<EventLoop> loop_;
};

}  // namespace asyncio::test

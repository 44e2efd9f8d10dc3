#include <asyncio/core/event_loop_interface.h>

#include <stdexcept>

#include <asyncio/core/errors.h>
#include <asyncio/core/internal/reactor/reactor.h>

namespace asyncio {

EventLoopInterface::EventLoopInterface(std::string type, Precision precision, Driver driver)
    : type_(std::move(type)),
      precision_(precision),
      driver_(driver),
      reactor_(std::make_unique<detail::Reactor>(*this)) {}

EventLoopInterface::~EventLoopInterface() = default;

void EventLoopInterface::run() {
  detail::Reactor& reactor = *reactor_;
  reactor.inbox().check_thread("EventLoopInterface::run");
  if (reactor.user() != nullptr) {
    throw InvalidStateError(
        "EventLoopInterface::run(): an EventLoop has taken over this backend; use "
        "EventLoop::run()");
  }
  if (reactor.guest()) {
    throw InvalidStateError(
        "EventLoopInterface::run(): this backend is the guest of a host's loop; give it to an "
        "EventLoop, and let the host run");
  }
  if (running_alone_) {
    throw NestedRunError(
        "EventLoopInterface::run() is running already; a callback cannot call it again");
  }
  if (reactor.forked()) {
    throw InvalidStateError(
        "EventLoopInterface::run(): this process is a forked child, and its parent made the "
        "backend; make a new one");
  }
  reactor.check_descriptors("EventLoopInterface::run()");
  struct Running {
    EventLoopInterface& interface;
    ~Running() {
      interface.running_alone_ = false;
      interface.stop_alone_ = false;  // also when a callback that stopped it threw
    }
  } running{*this};
  running_alone_ = true;
  while (reactor.callbacks().in_foreground() != 0 && !stop_alone_) {
    reactor.wait(reactor.timers().earliest());
    reactor.fire_due(reactor.now(), reactor.timers().next_sequence(), stop_alone_);
  }
}

bool EventLoopInterface::process(Duration budget) noexcept {
  detail::ReactorUser* const user = reactor_->user();
  return user != nullptr && user->process(budget);
}

void EventLoopInterface::stop() {
  if (detail::ReactorUser* const user = reactor_->user(); user != nullptr) {
    user->stop();
  } else {
    reactor_->inbox().check_thread("EventLoopInterface::stop");
    stop_alone_ = true;
  }
}

TimerId EventLoopInterface::add_timer_impl(Duration interval, UniqueFunction<void()> callback,
                                           const TimerOptions& options) {
  reactor_->inbox().check_thread("add_timer");
  if (!callback) throw std::invalid_argument("add_timer: the callback is empty");
  if (options.persistent && interval <= Duration::zero()) {
    throw std::invalid_argument(
        "add_timer: a persistent timer needs an interval above zero; pass persistent = false for "
        "one call in the next turn, or call_soon");
  }
  return reactor_->callbacks().add(deadline_after(reactor_->now(), interval), interval, options,
                                   std::move(callback));
}

bool EventLoopInterface::del_timer(TimerId id) {
  reactor_->inbox().check_thread("del_timer");
  return reactor_->callbacks().remove(id);
}

}  // namespace asyncio

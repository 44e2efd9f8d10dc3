#include <asyncio/core/event_loop_interface.h>

#include <stdexcept>

#include <asyncio/core/errors.h>
#include <asyncio/core/internal/loop.h>
#include <asyncio/core/internal/reactor.h>

namespace asyncio {

EventLoopInterface::EventLoopInterface(std::string type, Precision precision, Driver driver)
    : type_(std::move(type)),
      precision_(precision),
      driver_(driver),
      reactor_(std::make_unique<detail::Reactor>(*this)) {}

EventLoopInterface::~EventLoopInterface() = default;

void EventLoopInterface::run() {
  detail::Reactor& reactor = *reactor_;
  if (reactor.owner != nullptr) {
    throw InvalidStateError(
        "run() of a backend that an EventLoop has taken over: use "
        "EventLoop::run()");
  }
  if (reactor.guest()) {
    throw InvalidStateError(
        "run() of a backend that is the guest of a host's loop: give it to an EventLoop, and let "
        "the "
        "host run");
  }
  if (reactor.running) {
    throw NestedRunError("EventLoopInterface::run() inside its own run()");
  }
  if (reactor.forked()) {
    throw InvalidStateError(
        "EventLoopInterface::run() in a forked child, on a backend made by the "
        "parent: make a new one");
  }
  struct Running {
    detail::Reactor& reactor;
    ~Running() {
      reactor.running = false;
      reactor.stop_requested = false;  // also when a callback that stopped it threw
    }
  } running{reactor};
  reactor.running = true;
  while (reactor.callback_count() != 0 && !reactor.stop_requested) {
    reactor.wait(reactor.timers().earliest());
    reactor.fire_due(reactor.now(), reactor.timers().next_sequence(), reactor.stop_requested);
  }
}

bool EventLoopInterface::process(Duration budget) noexcept {
  return reactor_->owner != nullptr && static_cast<detail::Loop*>(reactor_->owner)->process(budget);
}

void EventLoopInterface::stop() {
  if (reactor_->owner != nullptr) {
    static_cast<detail::Loop*>(reactor_->owner)->stop();
  } else {
    reactor_->stop_requested = true;
  }
}

TimerId EventLoopInterface::add_timer_impl(Duration interval, UniqueFunction<void()> callback,
                                           bool persistent) {
  if (!callback) throw std::invalid_argument("add_timer: the callback is empty");
  if (persistent && interval <= Duration::zero()) {
    throw std::invalid_argument(
        "add_timer: a persistent timer needs an interval above zero; pass persistent = false for "
        "one call in the next turn, or call_soon");
  }
  return reactor_->add_callback(deadline_after(reactor_->now(), interval), interval, persistent,
                                std::move(callback));
}

bool EventLoopInterface::del_timer(TimerId id) { return reactor_->remove_callback(id); }

}  // namespace asyncio

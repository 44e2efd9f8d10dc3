#include <asyncio/core/event_loop.h>

#include <stdexcept>

#include <asyncio/core/backends.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/internal/loop.h>
#include <asyncio/core/internal/loop_signals.h>

namespace asyncio {
namespace {

struct CallbackPost : detail::Post {
  CallbackPost(UniqueFunction<void()> function, const detail::LoopShared& meant_for)
      : Post([](Post& post, detail::Loop* loop) {
          const std::unique_ptr<CallbackPost> self{static_cast<CallbackPost*>(&post)};
          // Null also if the loop closed just after the poster looked, and left its inbox to another
          // one: that has another epoch.
          if (loop == nullptr) return;
          if (loop->winding_up()) {
            loop->call_soon(std::move(self->callback));  // which holds it for the next run
          } else {
            self->callback();
          }
        }),
        callback(std::move(function)) {
    epoch = meant_for.epoch;
  }
  UniqueFunction<void()> callback;
};

std::unique_ptr<EventLoopInterface> not_null(std::unique_ptr<EventLoopInterface> backend) {
  if (backend == nullptr) {
    throw std::invalid_argument("EventLoop over no backend: pass make_backend(name)");
  }
  return backend;
}

detail::Loop& running_loop_or_throw(const char* call) {
  detail::Loop* loop = detail::Loop::current();
  if (loop == nullptr) {
    throw NoRunningLoopError(std::string{call} +
                             " where no loop runs: call it inside asyncio::run(...)");
  }
  return *loop;
}

void post_to(const detail::LoopShared& shared, UniqueFunction<void()> callback) {
  if (!callback) throw std::invalid_argument("call_soon_threadsafe: the callback is empty");
  auto post = std::make_unique<CallbackPost>(std::move(callback), shared);
  if (shared.closed.load() || !shared.inbox->push(*post)) {
    throw ClosedError(
        "call_soon_threadsafe: the loop is gone; keep it alive until its threads have ended, or "
        "ask "
        "closed() first");
  }
  static_cast<void>(post.release());
}

}  // namespace

// ---- LoopHandle ------------------------------------------------------------------------------------

void LoopHandle::call_soon_threadsafe(UniqueFunction<void()> callback) const {
  post_to(*hold_->shared, std::move(callback));
}

bool LoopHandle::closed() const noexcept { return hold_->shared->closed.load(); }

// ---- EventLoop -------------------------------------------------------------------------------------

EventLoop::EventLoop() : EventLoop(make_backend("auto")) {}

EventLoop::EventLoop(std::unique_ptr<EventLoopInterface> backend, const LoopOptions& options)
    : loop_(std::make_unique<detail::Loop>(*this, not_null(std::move(backend)), options)) {}

EventLoop::~EventLoop() = default;

void EventLoop::run() {
  loop_->check_not_nested("EventLoop::run");
  loop_->run_until_idle();
}

void EventLoop::run_main(detail::TaskControl& main) { loop_->run_main(main); }

detail::Scope& EventLoop::root_scope_for_main() {
  loop_->check_not_nested("run(main)");
  loop_->check_fork("run(main)");
  loop_->claim_thread();
  return loop_->root();
}

detail::Scope& EventLoop::owner_scope() {
  detail::TaskControl* self = loop_->current_task();
  return self == nullptr ? loop_->root() : self->scope->owner();
}

void EventLoop::stop() { loop_->stop(); }

void EventLoop::shutdown() { loop_->shutdown(); }

NativeHandle EventLoop::native_handle() const { return loop_->native_handle(); }

bool EventLoop::process(Duration budget) { return loop_->process_by_descriptor(budget); }

void EventLoop::call_soon(UniqueFunction<void()> callback) {
  if (!callback) throw std::invalid_argument("call_soon: the callback is empty");
  loop_->call_soon(std::move(callback));
}

TimerId EventLoop::call_at(TimePoint when, UniqueFunction<void()> callback) {
  if (!callback) throw std::invalid_argument("call_at: the callback is empty");
  return loop_->reactor().add_callback(when, Duration::zero(), false, std::move(callback));
}

void EventLoop::call_soon_threadsafe(UniqueFunction<void()> callback) {
  post_to(*loop_->shared(), std::move(callback));
}

LoopHandle EventLoop::handle() {
  LoopHandle handle{detail::LoopShared::hold(loop_->shared())};
  if (loop_->on_own_thread())
    loop_->outside_change();  // a host's loop has to stay awake for it now
  return handle;
}

std::uint64_t EventLoop::add_signal_handler(int signo, UniqueFunction<void(int)> callback) {
  return loop_->signals().add(signo, std::move(callback));
}

bool EventLoop::remove_signal_handler(std::uint64_t id_or_signo) {
  return id_or_signo < detail::LoopSignals::first_id
             ? loop_->signals().remove_all(static_cast<int>(id_or_signo))
             : loop_->signals().remove(id_or_signo);
}

void EventLoop::set_exception_handler(UniqueFunction<void(const ExceptionContext&)> handler) {
  loop_->set_exception_handler(std::move(handler));
}

EventLoopInterface& EventLoop::backend() noexcept { return loop_->backend(); }
const EventLoopInterface& EventLoop::backend() const noexcept { return loop_->backend(); }

LoopStatistics EventLoop::statistics() const { return loop_->statistics(); }
TimePoint EventLoop::now() const noexcept { return loop_->reactor().now(); }

std::vector<AnyTask> EventLoop::tasks() const {
  std::vector<AnyTask> handles;
  for (detail::TaskRef& task : loop_->living_tasks()) handles.emplace_back(std::move(task));
  return handles;
}

std::string EventLoop::dump() const { return loop_->dump(); }

void EventLoop::after_fork() { loop_->after_fork(); }

bool EventLoop::is_running() const noexcept { return loop_->running(); }

// ---- The running loop ------------------------------------------------------------------------------

EventLoop& get_event_loop() { return running_loop_or_throw("get_event_loop()").face(); }

void call_soon(UniqueFunction<void()> callback) {
  running_loop_or_throw("call_soon(...)").face().call_soon(std::move(callback));
}

TimerId call_at(TimePoint when, UniqueFunction<void()> callback) {
  return running_loop_or_throw("call_at(...)").face().call_at(when, std::move(callback));
}

}  // namespace asyncio

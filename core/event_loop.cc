#include <asyncio/core/event_loop.h>

#include <stdexcept>

#include <asyncio/core/backend_registry.h>
#include <asyncio/core/detail/of_loop.h>
#include <asyncio/core/errors.h>
#include <asyncio/core/internal/dump.h>
#include <asyncio/core/internal/loop.h>
#include <asyncio/core/internal/process/forks.h>
#include <asyncio/core/internal/process/thread_end.h>

namespace asyncio {
namespace {

std::unique_ptr<EventLoopInterface> not_null(std::unique_ptr<EventLoopInterface> backend) {
  if (backend == nullptr) {
    throw std::invalid_argument("EventLoop: the backend is null; pass make_backend(name)");
  }
  return backend;
}

}  // namespace

// ---- EventLoop ----------------------------------------------------------------------------------

EventLoop::EventLoop() : EventLoop(make_backend("auto")) {}

EventLoop::EventLoop(std::unique_ptr<EventLoopInterface> backend, const LoopOptions& options)
    : loop_(std::make_unique<detail::Loop>(*this, not_null(std::move(backend)), options)) {}

// In the child of a fork the tasks are the parent's, and so are the sessions that they have:
// unwound here, they would say goodbye.  Nor is anything unwound by exit() inside run(), which
// stands on one of the stacks.  As with the stacks of other threads then, nothing is destroyed.
EventLoop::~EventLoop() {
  const bool exits_in_run = rooms().scheduler.running() && detail::thread_has_ended();
  if (rooms().reactor.in_another_process() || exits_in_run || loop_->is_abandoned()) {
    static_cast<void>(loop_.release());
  }
}

void EventLoop::run() {
  loop_->check_not_nested("EventLoop::run");
  loop_->run_until_idle();
}

bool EventLoop::run_once() { return loop_->step("run_once()", true); }
bool EventLoop::run_ready() { return loop_->step("run_ready()", false); }

void EventLoop::run_main(detail::TaskControl& main) { loop_->run_main(main); }

detail::Scope& EventLoop::root_scope_for_main() {
  loop_->check_not_nested("run(main)");
  detail::check_fork(rooms().reactor, "run(main)");
  rooms().reactor.check_descriptors("run(main)");
  rooms().reactor.inbox().claim();
  return rooms().root;
}

detail::Scope& EventLoop::owner_scope() {
  loop_->check_call("create_task");
  const detail::TaskControl* self = rooms().scheduler.current_task();
  return self == nullptr ? rooms().root : self->scope->owner();
}

void EventLoop::stop() { loop_->stop(); }

void EventLoop::notify_closing(int fd) {
  loop_->check_thread("notify_closing");
  rooms().reactor.notify_closing(fd);
}

void EventLoop::shutdown() {
  loop_->check_thread("shutdown");
  rooms().ending.shutdown();
}

void EventLoop::abandon() { loop_->abandon(); }

NativeHandle EventLoop::native_handle() const { return rooms().guest.native_handle(); }

bool EventLoop::process(Duration budget) { return rooms().guest.process_by_descriptor(budget); }

void EventLoop::call_soon(UniqueFunction<void()> callback) {
  loop_->check_call("call_soon");
  if (!callback) throw std::invalid_argument("call_soon: the callback is empty");
  rooms().scheduler.call_soon(std::move(callback));
}

TimerId EventLoop::start_timer(const char* call, Duration interval, UniqueFunction<void()> callback,
                               const TimerOptions& options) {
  loop_->check_call(call);
  return backend().add_timer(interval, std::move(callback), options);
}

bool EventLoop::del_timer(TimerId id) {
  loop_->check_call("del_timer");
  return backend().del_timer(id);
}

TimerId EventLoop::call_at(TimePoint when, UniqueFunction<void()> callback) {
  loop_->check_call("call_at");
  if (!callback) throw std::invalid_argument("call_at: the callback is empty");
  return rooms().reactor.callbacks().add(when, Duration::zero(), {.persistent = false},
                                         std::move(callback));
}

void EventLoop::call_soon_threadsafe(UniqueFunction<void()> callback) {
  rooms().shared.post(std::move(callback));
}

LoopHandle EventLoop::handle() {
  LoopHandle handle{detail::LoopShared::hold(loop_->shared())};
  if (rooms().reactor.inbox().on_owners_thread()) {
    rooms().scheduler.work_came();  // a host's loop has to stay awake for it now
  }
  return handle;
}

std::uint64_t EventLoop::add_signal_handler(int signo, UniqueFunction<void(int)> callback) {
  loop_->check_call("add_signal_handler");
  return rooms().signals.add(signo, std::move(callback));
}

bool EventLoop::remove_signal_handler(std::uint64_t id_or_signo) {
  loop_->check_call("remove_signal_handler");
  return id_or_signo < detail::Signals::first_id
             ? rooms().signals.remove_all(static_cast<int>(id_or_signo))
             : rooms().signals.remove(id_or_signo);
}

void EventLoop::set_exception_handler(UniqueFunction<void(const ExceptionContext&)> handler) {
  loop_->check_thread("set_exception_handler");
  rooms().failures.set_handler(std::move(handler));
}

EventLoopInterface& EventLoop::backend() noexcept { return loop_->backend(); }
const EventLoopInterface& EventLoop::backend() const noexcept { return loop_->backend(); }

LoopStatistics EventLoop::statistics() const {
  loop_->check_thread("statistics");
  return loop_->statistics();
}
TimePoint EventLoop::now() const noexcept { return rooms().reactor.now(); }

std::vector<AnyTask> EventLoop::tasks() const {
  loop_->check_thread("tasks");
  std::vector<AnyTask> handles;
  for (detail::TaskRef& task : detail::living_tasks(rooms())) handles.emplace_back(std::move(task));
  return handles;
}

std::string EventLoop::dump() const {
  loop_->check_thread("dump");
  return detail::dump_text(rooms());
}

void EventLoop::after_fork() { detail::carry_on_in_child(rooms()); }

bool EventLoop::is_running() const noexcept { return rooms().scheduler.running(); }

const detail::Rooms& EventLoop::rooms() const noexcept { return loop_->rooms(); }

// ---- The running loop ---------------------------------------------------------------------------

EventLoop& detail::running_loop_or_throw(const char* call) {
  return running_scheduler_or_throw(call).rooms().face;
}

EventLoop& get_event_loop() { return detail::running_loop_or_throw("get_event_loop()"); }

void call_soon(UniqueFunction<void()> callback) {
  detail::running_loop_or_throw("call_soon(...)").call_soon(std::move(callback));
}

TimerId call_at(TimePoint when, UniqueFunction<void()> callback) {
  return detail::running_loop_or_throw("call_at(...)").call_at(when, std::move(callback));
}

}  // namespace asyncio

#include <asyncio/core/internal/loop.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <string>
#include <utility>

#include <asyncio/core/errors.h>
#include <asyncio/core/internal/dump.h>
#include <asyncio/core/internal/memory/block_pool.h>
#include <asyncio/core/internal/process/forks.h>
#include <asyncio/core/internal/process/other_threads.h>
#include <asyncio/core/internal/process/stack_overflow.h>
#include <asyncio/core/internal/process/thread_end.h>
#include <asyncio/core/internal/run_guard.h>

namespace asyncio::detail {

Loop::Loop(EventLoop& face, std::unique_ptr<EventLoopInterface> backend, const LoopOptions& options)
    : options_(options),
      backend_(std::move(backend)),
      reactor_(Reactor::of(*backend_)),
      shared_(std::make_shared<LoopShared>(reactor_.inbox())),
      rooms_{.face = face,
             .options = options_,
             .reactor = reactor_,
             .scheduler = scheduler_,
             .turn = turn_,
             .tasks = tasks_,
             .memory = memory_,
             .failures = failures_,
             .signals = signals_,
             .workers = workers_,
             .shared = *shared_,
             .slots = slots_,
             .guest = guest_,
             .ending = ending_,
             .root = root_},
      memory_({options.stack_size, options.guard_size}),
      failures_(reactor_),
      scheduler_(rooms_),
      tasks_(rooms_),
      turn_(rooms_),
      signals_(rooms_),
      workers_(options.signals_blocked_in_workers),
      guest_(rooms_),
      ending_(rooms_),
      root_(scheduler_) {
  watch_for_end_of_thread();
  reactor_.take_over(*this);
  reactor_.start();
  reactor_.set_clock(options_.clock);
  root_.name = "root";
  root_.entered = true;
  tasks_.set_stamp(reactor_.now());
  if (options_.report_stack_overflow) install_stack_overflow_report();
  if (reactor_.guest()) {
    reactor_.wait(TimePoint::min());  // tells the backend whom to report to
    reactor_.rest(false, TimePoint::max());
    scheduler_.set_host_asleep(true);
    reactor_.inbox().lend();
  }
}

Loop::~Loop() {
  if (scheduler_.running()) {
    std::fprintf(stderr, "asyncio: an EventLoop was destroyed inside its own run()\n");
    std::abort();
  }
  ending_.end_loop();
  if (options_.report_stack_overflow) uninstall_stack_overflow_report();
  if (BlockPool* const blocks = BlockPool::of_this_thread(); blocks != nullptr) {
    blocks->shrink(BlockPool::keep_warm);  // no loop is left to trim them
  }
}

void Loop::abandon() {
  if (abandoned_) return;
  if (!reactor_.in_another_process()) {
    check_thread("abandon");
    if (scheduler_.running()) {
      throw InvalidStateError(
          "abandon(): a task or callback of the loop called it, and the loop goes on when that "
          "returns; call it from the host, or when run() has returned");
    }
    scheduler_.set_host_asleep(false);
    if (reactor_.guest()) reactor_.detach();
    signals_.end();
  }
  shared_->closed.store(true);
  root_.ended = true;
  abandoned_ = true;
}

void Loop::check_thread(const char* call) {
  if (abandoned_) {
    throw InvalidStateError(std::string{call} +
                            ": abandon() has let go of this loop; make a new one");
  }
  reactor_.inbox().check_thread(call);
}

void Loop::check_call(const char* call) {
  check_thread(call);
  check_fork(reactor_, call);
}

void Loop::check_not_nested(const char* call) {
  Scheduler::check_none_runs(call);
  if (scheduler_.running() || abandoned_) check_thread(call);
  if (!reactor_.guest()) return;
  throw InvalidStateError(std::string{call} +
                          ": this loop is the guest of a host's loop, and runs when that does; "
                          "start tasks with loop.create_task(...)");
}

void Loop::stop() noexcept {
  if (reactor_.inbox().on_owners_thread()) {
    scheduler_.stop();
  } else {
    shared_->stop_requested.store(true);
    reactor_.inbox().wake();
  }
}

// That nothing can wake a task is certain only while there is no other thread: one could have a
// task's handle, to cancel it, or post without a LoopHandle.
template <class Finished>
bool Loop::drive(Finished finished) {
  constexpr Duration shortest_pause = std::chrono::milliseconds{1};
  constexpr Duration longest_pause = std::chrono::seconds{1};
  Duration pause = shortest_pause;
  bool reported = false;
  for (;;) {
    const std::uint64_t turns = turn_.count();
    if (turn_.drive(finished)) return true;
    if (scheduler_.stopping() || reactor_.forked() || tasks_.alive() == 0) return false;
    if (!has_other_threads(workers_.threads())) {
      // The last of them may have left something before it went, and after the turn had looked.
      if (!reactor_.inbox().has_posts() && !shared_->stop_requested.load()) return false;
      continue;
    }
    if (turn_.count() != turns + 1) pause = shortest_pause;  // something was woken meanwhile
    if (pause == longest_pause && !std::exchange(reported, true)) report_doubt();
    turn_.sleep(Clock::now() + pause);
    pause = std::min(2 * pause, longest_pause);
  }
}

void Loop::report_doubt() noexcept {
  try {
    failures_.report(
        "every task waits, and nothing but another thread could wake one, by cancelling it. If "
        "none is going to, this is a deadlock; a thread that is should hold a LoopHandle, and then "
        "this is not said\n" +
            dump_text(rooms_),
        nullptr, nullptr);
  } catch (const std::bad_alloc&) {
  }
}

void Loop::run_main(TaskControl& main) {
  const RunGuard guard{rooms_};
  check_fork(reactor_, "run");
  reactor_.check_descriptors("run");
  scheduler_.watch_main(&main);
  std::exception_ptr failure;
  try {
    drive([&] { return main.done(); });
    failure = failures_.take();
  } catch (const BackendError&) {
    failure = std::current_exception();
  }
  scheduler_.watch_main(nullptr);
  const bool stopped = scheduler_.take_stop();
  if (reactor_.forked()) {  // somebody forked in there and came back: other tasks are the parent's
    if (failure != nullptr) std::rethrow_exception(failure);
    if (!main.done()) check_fork(reactor_, "run(main) came back");
    return;
  }
  if (failure == nullptr && !main.done()) {
    failure = stopped ? std::make_exception_ptr(InvalidStateError(
                            "run(main): stop() was called before main had ended; main was "
                            "cancelled. Let main return, or use run() and stop() without a main"))
                      : std::make_exception_ptr(DeadlockError(
                            "run(main): every task is waiting, and nothing is left that could wake "
                            "one (no timer, descriptor, signal, thread or handle)\n" +
                            dump_text(rooms_)));
  }
  main.mark_observed();  // run() tells what it does, now or while it is unwound
  ending_.wind_up(stopped, !main.done());
  if (failure != nullptr) std::rethrow_exception(failure);
}

void Loop::run_until_idle() {
  const RunGuard guard{rooms_};
  check_fork(reactor_, "run");
  reactor_.check_descriptors("run");
  const bool idle = !drive([&] { return turn_.only_background_is_left(); });
  check_fork(reactor_, "run() came back");
  const bool stopped = scheduler_.take_stop();
  if (std::exception_ptr failure = failures_.take(); failure != nullptr) {
    std::rethrow_exception(failure);
  }
  if (idle && !stopped && tasks_.in_foreground() != 0) throw_deadlock("run()");
}

bool Loop::step(const char* call, bool may_wait) {
  check_not_nested(call);
  const RunGuard guard{rooms_};
  check_fork(reactor_, call);
  const bool idle = !turn_.step(may_wait);
  check_fork(reactor_, call);
  if (std::exception_ptr failure = failures_.take(); failure != nullptr) {
    std::rethrow_exception(failure);
  }
  if (idle && tasks_.in_foreground() != 0) throw_deadlock(call);
  return !turn_.only_background_is_left();
}

void Loop::throw_deadlock(const char* call) const {
  throw DeadlockError(std::string{call} +
                      ": tasks are waiting, and nothing is left that could wake them (no timer, "
                      "descriptor, signal, thread or handle)\n" +
                      dump_text(rooms_));
}

LoopStatistics Loop::statistics() const {
  LoopStatistics figures;
  figures.turns = turn_.count();
  figures.backend_waits = turn_.waits();
  figures.switches = scheduler_.switches();
  figures.tasks_created = tasks_.created();
  figures.tasks_alive = tasks_.alive();
  figures.ready = scheduler_.ready_count();
  figures.timers = reactor_.timers().size();
  figures.fd_waiters = reactor_.fd_waiters();
  figures.posts = turn_.posts();
  figures.stacks = memory_.stacks();
  figures.stacks_free = memory_.free_stacks();
  figures.stacks_guarded = memory_.guarded_stacks();
  return figures;
}

}  // namespace asyncio::detail

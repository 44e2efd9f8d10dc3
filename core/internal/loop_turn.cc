// The turn of the loop, its runs, and its end.  core/DESIGN.md numbers the steps and names the test
// of each.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include <asyncio/core/errors.h>
#include <asyncio/core/internal/block_pool.h>
#include <asyncio/core/internal/loop.h>
#include <asyncio/core/internal/loop_signals.h>
#include <asyncio/core/internal/run_guard.h>
#include <asyncio/core/internal/stack_overflow.h>
#include <asyncio/core/internal/thread_pool.h>

namespace asyncio::detail {
namespace {

// While work is ready the backend is asked at least this often; it costs a system call.
constexpr Duration poll_interval = std::chrono::microseconds{50};
// Direct switches between two looks at the clock, adapted so that they take about slice_time.
constexpr std::uint32_t longest_slice = 128;
constexpr Duration slice_time = std::chrono::microseconds{20};
// Posts run in one turn.
constexpr int post_batch = 256;
// Callbacks still queued when main has ended get this many turns.
constexpr int farewell_turns = 16;
// Debug mode reports callbacks and task slices longer than this.
constexpr Duration slow_slice = std::chrono::milliseconds{100};

std::size_t stack_size_or_default(std::size_t size) noexcept {
  constexpr std::size_t kib = 1024;
  if (size != 0) return size;
  return under_asan || under_tsan ? 512 * kib : 256 * kib;
}

std::optional<std::uint64_t> seed_from_environment() {
  const char* text = std::getenv("ASYNCIO_SHUFFLE_SEED");
  if (text == nullptr || *text == '\0') return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

}  // namespace

constinit thread_local Loop* running_loop = nullptr;

std::shared_ptr<LoopHold> LoopShared::hold(const std::shared_ptr<LoopShared>& shared) {
  const std::lock_guard lock{shared->mutex_};
  std::shared_ptr<LoopHold> held = shared->hold_.lock();
  if (held == nullptr) {
    held = std::make_shared<LoopHold>(shared);
    shared->hold_ = held;
  }
  return held;
}

bool LoopShared::is_held() const {
  const std::lock_guard lock{mutex_};
  return !hold_.expired();
}

Loop::Loop(EventLoop& face, std::unique_ptr<EventLoopInterface> backend, const LoopOptions& options)
    : face_(face),
      options_(options),
      backend_(std::move(backend)),
      reactor_(Reactor::of(*backend_)),
      shared_(std::make_shared<LoopShared>()),
      signals_(std::make_unique<LoopSignals>(*this)) {
  if (reactor_.owner != nullptr) {
    throw InvalidStateError("EventLoop over a backend that another EventLoop has: make a new one");
  }
  reactor_.start();
  reactor_.owner = this;
  reactor_.set_clock(options_.clock);
  shared_->inbox = &reactor_.inbox();
  shared_->epoch = reactor_.inbox().epoch();
  options_.stack_size = stack_size_or_default(options_.stack_size);
  auto pool = std::make_unique<StackPool>(options_.stack_size);
  default_pool_ = pool.get();
  pools_.emplace(pool->usable_size(), std::move(pool));
  thread_ = ThreadState::of_this_thread();
  root_ = std::make_unique<Scope>(*this);
  root_->name = "root";
  root_->entered = true;
  const auto seed = options_.shuffle_seed ? options_.shuffle_seed : seed_from_environment();
  if (seed && *seed != 0) shuffle_.emplace(static_cast<std::minstd_rand::result_type>(*seed));
  exact_stamps_ = options_.clock != nullptr || options_.debug;
  stamp_ = reactor_.now();
  if (options_.report_stack_overflow) install_stack_overflow_report();
  if (reactor_.guest()) {
    reactor_.wait(TimePoint::min());  // tells the backend whom to report to
    reactor_.rest(false, TimePoint::max());
    host_asleep_ = true;
  }
}

// ---- Runs ------------------------------------------------------------------------------------------

void Loop::check_not_nested(const char* call) const {
  if (running_loop != nullptr) {
    throw NestedRunError(
        std::string{call} +
        " inside a running loop: a task can await(create_task(...)) instead, and a "
        "callback can start a task");
  }
  if (!reactor_.guest()) return;
  throw InvalidStateError(
      std::string{call} +
      " on a loop that is the guest of a host's: the host runs; start tasks with "
      "loop.create_task(...)");
}

void Loop::check_fork(const char* call) const {
  if (!reactor_.forked()) return;
  throw InvalidStateError(std::string{call} +
                          " in a forked child, on a loop made by the parent: call "
                          "loop.after_fork() first, or make a new loop");
}

void Loop::after_fork() {
  reactor_.after_fork();
  // The threads are the parent's.  The pool is leaked, for one of them may have held its lock.
  static_cast<void>(threads_.release());
  thread_jobs = 0;
  while (Waiter* waiter = thread_waiters.front()) wake(*waiter, Wake::broken);
}

void Loop::stop() noexcept {
  if (on_own_thread()) {
    stopping_ = true;
  } else {
    shared_->stop_requested.store(true);
    reactor_.inbox().wake();
  }
}

void Loop::run_main(TaskControl& main) {
  const RunGuard guard{*this};
  check_fork("run");
  main_ = &main;
  std::exception_ptr failure;
  try {
    drive([&] { return main.done(); });
    failure = std::exchange(callback_failure_, nullptr);
  } catch (const BackendError&) {
    failure = std::current_exception();
  }
  main_ = nullptr;
  const bool stopped = std::exchange(stopping_, false);
  if (failure == nullptr && !main.done()) {
    failure = stopped ? std::make_exception_ptr(InvalidStateError(
                            "run(main): stop() was called before main had ended; main was "
                            "cancelled. Let main return, or use run() and stop() without a main"))
                      : std::make_exception_ptr(DeadlockError(
                            "run(main): every task waits for something that nothing can bring "
                            "about (no timer, descriptor, signal, thread or handle is left)\n" +
                            dump()));
  }
  main.mark_observed();  // whatever it does, now or while it is unwound: run() tells
  wind_up(stopped, !main.done());
  if (failure != nullptr) std::rethrow_exception(failure);
}

void Loop::run_until_idle() {
  const RunGuard guard{*this};
  check_fork("run");
  const bool idle = !drive([] { return false; });
  if (callback_failure_ != nullptr) {
    stopping_ = false;
    std::rethrow_exception(std::exchange(callback_failure_, nullptr));
  }
  const bool stopped = std::exchange(stopping_, false);
  if (idle && !stopped && alive_count_ != 0) {
    throw DeadlockError(
        "run(): tasks are left that nothing can ever wake (no timer, descriptor, signal, thread or "
        "handle is left)\n" +
        dump());
  }
}

// ---- The turn --------------------------------------------------------------------------------------

template <class Finished>
bool Loop::drive(Finished&& finished) {
  for (;;) {
    if (stopping_) return false;
    ++turns_;
    const std::uint64_t armed_before = reactor_.timers().next_sequence();
    // 1. What was ready when the turn began.
    run_ready();
    if (finished()) return true;
    if (stopping_) return false;
    // 2. What other threads and signal handlers left.
    take_posts();
    if (stopping_) return false;
    // 3.–5. Wait, if nothing is ready, and wake whom the descriptors concern.
    std::uint64_t limit = armed_before;
    if (!batch_.empty() || ready_count_ != 0 || posts_ != nullptr) {
      stamp_ = reactor_.now();  // before the poll: it must have seen what deadlines are up against
      if (poll_due()) {
        ++backend_waits_;
        reactor_.wait(TimePoint::min());
        last_poll_ = Clock::now();
      }
    } else {
      // Nothing that was ready is left, so timers armed in step 1 come after all of it already.
      limit = reactor_.timers().next_sequence();
      if (!wait_or_finish()) return false;
      stamp_ = reactor_.now();
    }
    // 6. Deadlines, after I/O: ready data beats a timeout of the same turn.
    fire_deadlines(stamp_, limit);
  }
}

void Loop::fire_deadlines(TimePoint due, std::uint64_t limit) {
  if (reactor_.timers().empty()) return;
  for (bool again = true; again;) {
    again = false;
    try {
      reactor_.fire_due(due, limit, stopping_);
    } catch (...) {
      callback_failed(std::current_exception(), "a timer callback");
      again = !stopping_;
    }
  }
}

void Loop::form_batch() noexcept {
  for (ReadyList& list : ready_) batch_.splice_back(list);
  ready_count_ = 0;
  if (shuffle_) [[unlikely]]
    shuffle_batch();
}

// For tests: tasks of one turn may run in any order that keeps priorities; callbacks keep theirs.
void Loop::shuffle_batch() noexcept {
  std::vector<ReadyNode*> nodes;
  std::vector<std::size_t> places;
  while (!batch_.empty()) {
    nodes.push_back(batch_.pop_front());
    if (nodes.back()->is_task) places.push_back(nodes.size() - 1);
  }
  for (std::size_t i = places.size(); i > 1; --i) {
    const std::size_t j = (*shuffle_)() % i;
    ReadyNode*& a = nodes[places[i - 1]];
    ReadyNode*& b = nodes[places[j]];
    if (a->priority == b->priority) std::swap(a, b);
  }
  for (ReadyNode* node : nodes) batch_.push_back(*node);
}

void Loop::run_ready() noexcept {
  if (batch_.empty()) form_batch();
  // With a virtual clock or in debug mode every task is resumed from here, so that each turn is
  // exactly the six steps, and each slice can be timed.
  const bool direct = options_.clock == nullptr && !options_.debug;
  next_batch_ = false;
  while (!batch_.empty() && !stopping_ && !next_batch_) {
    const bool main_ended = main_ != nullptr && main_->done();
    slice_ = direct && !main_ended ? slice_length_ : 0;
    ReadyNode& node = *batch_.pop_front();
    if (node.is_task) {
      resume(static_cast<TaskControl&>(node));
    } else {
      run_callback(node);
    }
    // Looked at afterwards: with the smallest budget, too, each call gets something done.
    if (budget_end_ != TimePoint::max() && Clock::now() >= budget_end_) break;
  }
  slice_ = 0;
}

void Loop::resume(TaskControl& task) noexcept {
  ++switches_;
  const TimePoint began = options_.debug ? Clock::now() : TimePoint{};
  const TaskRef keep = options_.debug ? TaskRef::share(task) : TaskRef{};
  current_ = &task;
  prefetch_next();
  switch_fiber(thread_, main_fiber_, task.fiber);
  current_ = nullptr;
  if (options_.debug && Clock::now() - began > slow_slice) {
    std::fprintf(stderr, "asyncio: task '%s' kept the loop busy for %.0f ms without suspending\n",
                 task.display_name().c_str(),
                 std::chrono::duration<double, std::milli>(Clock::now() - began).count());
  }
}

void Loop::run_callback(ReadyNode& node) noexcept {
  auto& ready = static_cast<ReadyCallback&>(node);
  if (winding_up_) {
    held_.push_back(ready);
    return;
  }
  const std::unique_ptr<ReadyCallback> owner{&ready};
  const TimePoint began = options_.debug ? Clock::now() : TimePoint{};
  try {
    ready.callback();
  } catch (...) {
    callback_failed(std::current_exception(), "a callback");
  }
  if (options_.debug && Clock::now() - began > slow_slice) {
    std::fprintf(stderr, "asyncio: a callback kept the loop busy for %.0f ms\n",
                 std::chrono::duration<double, std::milli>(Clock::now() - began).count());
  }
}

void Loop::take_posts() {
  if (shared_->stop_requested.exchange(false, std::memory_order_relaxed)) stopping_ = true;
  signals_->dispatch();
  if (Post* taken = reactor_.inbox().has_posts() ? reactor_.inbox().take_all() : nullptr) {
    Post* last = taken;
    while (last->next != nullptr) last = last->next;
    (posts_ == nullptr ? posts_ : posts_tail_->next) = taken;
    posts_tail_ = last;
  }
  for (int i = 0; i < post_batch && posts_ != nullptr && !stopping_; ++i) {
    Post* post = std::exchange(posts_, posts_->next);
    ++posts_taken_;
    try {
      const bool ours = post->epoch == 0 || post->epoch == reactor_.inbox().epoch();
      post->run(*post, ours ? this : nullptr);
    } catch (...) {
      callback_failed(std::current_exception(), "a callback from another thread");
    }
  }
}

bool Loop::poll_due() noexcept {
  if (options_.clock != nullptr || options_.debug) return true;
  const TimePoint now = stamp_;
  const Duration took = now - slice_began_;
  slice_began_ = now;
  if (took > slice_time) {
    slice_length_ = std::max<std::uint32_t>(slice_length_ / 2, 1);
  } else if (took < slice_time / 4) {
    slice_length_ = std::min(slice_length_ * 2, longest_slice);
  }
  const bool deadline_passed = reactor_.fd_waiters() != 0 && reactor_.timers().earliest() <= now;
  return deadline_passed || now - last_poll_ >= poll_interval;
}

bool Loop::could_be_woken() const noexcept {
  return reactor_.fd_waiters() != 0 || foreign_sources != 0 || thread_jobs != 0 ||
         shared_->is_held() ||
         reactor_.inbox().has_posts();  // in this order: the last may just post
}

// Steps 3 to 5 with nothing ready.  False: and nothing ever will be.
bool Loop::wait_or_finish() {
  const TimePoint earliest = reactor_.timers().earliest();
  if (earliest == TimePoint::max() && !could_be_woken()) return false;
  ++backend_waits_;
  if (options_.clock != nullptr) {
    reactor_.wait(TimePoint::min());
    if (ready_count_ != 0 || reactor_.inbox().has_posts()) return true;
    if (reactor_.verify_waits()) return true;  // a real wait would have the time for it
    if (earliest != TimePoint::max() && thread_jobs == 0) {
      options_.clock->advance_to(earliest);
      return true;
    }
  }
  TimePoint until = options_.clock != nullptr ? TimePoint::max() : earliest;
  if (next_trim_ != TimePoint::max() || pools_are_full()) {
    until = std::min(until, trim_pools(Clock::now()));
  }
  if (reactor_.inbox().begin_sleep()) {
    reactor_.wait(until);
    reactor_.inbox().end_sleep();
  } else {
    reactor_.wait(TimePoint::min());
  }
  last_poll_ = Clock::now();
  return true;
}

bool Loop::pools_are_full() const noexcept {
  const BlockPool* const blocks = BlockPool::of_this_thread();
  return (blocks != nullptr && blocks->free_count() > BlockPool::keep_warm) ||
         std::any_of(pools_.begin(), pools_.end(), [](const auto& pool) {
           return pool.second->free_count() > StackPool::keep_warm;
         });
}

TimePoint Loop::trim_pools(TimePoint now) noexcept {
  if (next_trim_ != TimePoint::max() && now < next_trim_) return next_trim_;
  next_trim_ = TimePoint::max();
  for (auto& [size, pool] : pools_) {
    if (const auto next = pool->trim(now)) next_trim_ = std::min(next_trim_, *next);
  }
  if (BlockPool* const blocks = BlockPool::of_this_thread(); blocks != nullptr) {
    if (const auto next = blocks->trim(now)) next_trim_ = std::min(next_trim_, *next);
  }
  return next_trim_;
}

// ---- The end ---------------------------------------------------------------------------------------

void Loop::shutdown() {
  if (current_ != nullptr) {
    throw InvalidStateError(
        "shutdown() in a task, which it would have to wait for: call it from the host, or by "
        "call_soon(...)");
  }
  if (running_) {
    if (!reactor_.guest()) {
      throw InvalidStateError(
          "shutdown() inside run(): use stop(), and shutdown() when run() returns");
    }
    shutdown_asked_ = true;  // by a callback: when the host's turn is through
    return;
  }
  check_fork("shutdown");
  if (root_->ended) return;
  host_asleep_ = false;
  if (reactor_.guest()) reactor_.detach();
  const RunGuard guard{*this};
  wind_up(false, root_->living != 0);
  root_->ended = true;
}

// As drive(), whatever stop() says: it would only leave tasks behind.
template <class Finished>
bool Loop::drive_to(Finished&& finished) {
  try {
    do {
      stopping_ = false;
      if (drive(finished)) {
        stopping_ = false;
        return true;
      }
    } while (stopping_);
  } catch (const BackendError&) {
    stopping_ = false;
    report("the backend failed while tasks were being ended", std::current_exception(), nullptr);
  }
  return false;
}

// Cancels and joins every task, then closes what belongs to the root.  With `hold_callbacks`,
// callbacks and timers stay for the next run.  `interrupted`: for resources it is a cancellation.
void Loop::wind_up(bool hold_callbacks, bool interrupted) {
  stopping_ = false;
  if (root_->living == 0) close_root_resources(interrupted);
  if (root_->living != 0) {
    winding_up_ = hold_callbacks;
    reactor_.hold_callbacks(hold_callbacks);
    root_->joining = true;
    cancel_node(*root_, CancelReason::shutdown, "the loop is ending");
    struct Grace : TimerNode {
      explicit Grace() noexcept
          : TimerNode([](TimerNode& node) { static_cast<Grace&>(node).over = true; }) {}
      bool over = false;
    } grace;
    reactor_.timers().arm(grace, deadline_after(reactor_.now(), options_.shutdown_grace));
    drive_to([&] { return root_->living == 0 || grace.over; });
    reactor_.timers().disarm(grace);
    if (root_->living != 0) abandon_survivors();
    close_root_resources(interrupted);
    winding_up_ = false;
    reactor_.hold_callbacks(false);
    while (ReadyNode* node = take_ready_callback()) held_.push_back(*node);
    while (!held_.empty()) make_ready(*held_.pop_front());
  }
  for (int turn = 0; !hold_callbacks && turn < farewell_turns; ++turn) {
    if (ready_count_ == 0 && batch_.empty()) break;
    run_ready();
    stopping_ = false;
    if (callback_failure_ != nullptr) {
      report("a callback threw", std::exchange(callback_failure_, nullptr), nullptr);
    }
  }
  if (callback_failure_ != nullptr) {
    report("a callback threw", std::exchange(callback_failure_, nullptr), nullptr);
  }
  reset_root();
}

// With every task gone, what is ready is callbacks.
ReadyNode* Loop::take_ready_callback() noexcept {
  for (ReadyList& list : ready_) {
    if (list.empty()) continue;
    --ready_count_;
    return list.pop_front();
  }
  return nullptr;
}

// What belongs to the root scope is closed by a task of its own: closing may suspend.
void Loop::close_root_resources(bool cancelled) {
  if (root_->on_leave == nullptr) return;
  reset_root();
  auto closer = spawn(
      *root_, [&] { root_->on_leave(*root_, cancelled); }, "close resources", 0,
      TaskPriority::system);
  closer.control().own_scope.shield = true;
  winding_up_ = false;
  if (!drive_to([&] { return closer.is_done(); })) abandon_survivors();
}

// They would not end in time: never resumed again, leaked with their stacks, and said so.
void Loop::abandon_survivors() {
  for (TaskRef& task : living_tasks()) {
    --alive_count_;
    task->abandoned = true;
    task->completed = stamp();
    report("task '" + task->display_name() +
               "' did not end within the grace period after its cancellation and was abandoned; it "
               "waits for " +
               wait_text(*task),
           nullptr, task.get());
    task->own_scope.unlink();
    abandoned_.push_back(std::move(task));
  }
  ReadyList all = take_ready();
  while (!all.empty()) {
    ReadyNode& node = *all.pop_front();
    if (!node.is_task) make_ready(node);  // only survivors were left, so every task is one
  }
  root_->living = 0;
}

void Loop::reset_root() {
  while (ScopeNode* node = root_->failed.pop_front()) report_ignored(*node->task);
  root_->set_deadline(TimePoint::max());
  root_->deadline_hit = false;
  root_->cause = nullptr;
  root_->cancel_called = false;
  root_->effective = false;
  root_->joining = false;
}

ReadyList Loop::take_ready() noexcept {
  for (ReadyList& list : ready_) batch_.splice_back(list);
  ready_count_ = 0;
  return std::exchange(batch_, {});
}

void Loop::drop_callbacks() noexcept {
  ReadyList all = take_ready();
  while (!all.empty()) {
    ReadyNode& node = *all.pop_front();
    if (node.is_task) {
      make_ready(node);
    } else {
      delete static_cast<ReadyCallback*>(&node);
    }
  }
}

Loop::~Loop() {
  if (running_) {
    std::fprintf(stderr, "asyncio: an EventLoop was destroyed inside its own run()\n");
    std::abort();
  }
  try {
    if (reactor_.forked()) after_fork();  // the parent's kernel object must not notice
  } catch (...) {
    report("a loop could not be detached from its parent process", std::current_exception(),
           nullptr);
  }
  host_asleep_ = false;
  if (reactor_.guest()) {
    if (root_->living != 0) {
      report("an EventLoop was destroyed in its host's loop with " + std::to_string(alive_count_) +
                 " tasks alive, which are unwound now: call shutdown() first",
             nullptr, nullptr);
    }
    reactor_.detach();
  }
  {
    const RunGuard guard{*this};
    // What is destroyed here may start tasks; a few times, and then no more.
    for (int round = 0; round == 0 || (root_->living != 0 && round < farewell_turns); ++round) {
      if (root_->living != 0 || root_->on_leave != nullptr) wind_up(true, root_->living != 0);
      reset_root();
      drop_callbacks();
    }
    if (root_->living != 0) abandon_survivors();
    root_->ended = true;
    threads_.reset();
    signals_.reset();
    shared_->closed.store(true);
    while (posts_ != nullptr) {
      Post* post = std::exchange(posts_, posts_->next);
      post->run(*post, nullptr);
    }
  }
  if (!abandoned_.empty()) {
    for (auto& [size, pool] : pools_) pool->leak();
    for (TaskRef& task : abandoned_) {
      task->loop = nullptr;
      task->add_ref();  // the control block is leaked with the stack that refers to it
    }
  }
  if (options_.report_stack_overflow) uninstall_stack_overflow_report();
  root_.reset();  // its timer is in the reactor
  backend_.reset();
  if (BlockPool* const blocks = BlockPool::of_this_thread(); blocks != nullptr) {
    blocks->shrink(BlockPool::keep_warm);  // no loop is left to trim them
  }
}

std::vector<TaskRef> Loop::living_tasks() const {
  std::vector<TaskRef> tasks;
  const ScopeNode* node = root_.get();
  const auto add = [&](const ScopeNode& at) {
    if (at.is_task && at.task != nullptr) tasks.push_back(TaskRef::share(*at.task));
  };
  for (;;) {
    add(*node);
    if (!node->children.empty()) {
      node = node->children.front();
      continue;
    }
    while (node != root_.get() && node->next == node->parent->children.end()) node = node->parent;
    if (node == root_.get()) break;
    node = static_cast<const ScopeNode*>(node->next);
  }
  std::sort(tasks.begin(), tasks.end(),
            [](const TaskRef& a, const TaskRef& b) { return a->id < b->id; });
  return tasks;
}

ThreadPool& Loop::threads() {
  if (threads_ == nullptr) threads_ = std::make_unique<ThreadPool>();
  return *threads_;
}

LoopStatistics Loop::statistics() const {
  LoopStatistics figures;
  figures.turns = turns_;
  figures.backend_waits = backend_waits_;
  figures.switches = switches_;
  figures.tasks_created = created_count_;
  figures.tasks_alive = alive_count_;
  figures.ready = ready_count_;
  for (const ReadyNode* node = batch_.front(); node != nullptr; node = node->next_ready) {
    ++figures.ready;  // the rest of this turn's
  }
  figures.timers = reactor_.timers().size();
  figures.fd_waiters = reactor_.fd_waiters();
  figures.posts = posts_taken_;
  for (const auto& [size, pool] : pools_) {
    figures.stacks += pool->total();
    figures.stacks_free += pool->free_count();
  }
  return figures;
}

TaskControl* Loop::task_of_guard(const std::byte* address) const noexcept {
  if (current_ == nullptr) return nullptr;
  const std::byte* bottom = current_->fiber.top - current_->fiber.size;
  return address < bottom && address >= bottom - StackPool::guard_size ? current_ : nullptr;
}

}  // namespace asyncio::detail

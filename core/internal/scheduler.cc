#include <asyncio/core/internal/scheduler.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <asyncio/core/errors.h>
#include <asyncio/core/event_loop.h>
#include <asyncio/core/internal/failures.h>

namespace asyncio::detail {
namespace {

// Switches between two looks at the clock, if they have been quick lately: a look costs about half
// as much as a yield.
constexpr std::uint32_t most_switches_between_looks = 8;

// Immediate completions likewise; a task that has not shown yet how quick it is begins with one.
constexpr std::uint8_t most_completions_between_looks = 16;

// Debug mode reports callbacks and task slices longer than this.
constexpr Duration slow_slice = std::chrono::milliseconds{100};

std::optional<std::uint64_t> seed_from_environment() {
  const char* text = std::getenv("ASYNCIO_SHUFFLE_SEED");
  if (text == nullptr || *text == '\0') return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

double milliseconds_since(TimePoint began) noexcept {
  return std::chrono::duration<double, std::milli>(Clock::now() - began).count();
}

}  // namespace

constinit thread_local Scheduler* running_scheduler = nullptr;

// With a virtual clock or in debug mode every task is resumed from the loop's own stack, so that
// each turn is exactly the six steps, and each slice can be timed.
Scheduler::Scheduler(const Rooms& rooms)
    : rooms_(rooms),
      reactor_(rooms.reactor),
      thread_(ThreadState::of_this_thread()),
      direct_(rooms.options.clock == nullptr && !rooms.options.debug) {
  const auto& asked = rooms.options.shuffle_seed;
  const auto seed = asked ? asked : seed_from_environment();
  if (seed && *seed != 0) shuffle_.emplace(static_cast<std::minstd_rand::result_type>(*seed));
}

// ---- The thread ---------------------------------------------------------------------------------

Scheduler* Scheduler::take_thread() noexcept {
  reactor_.inbox().claim();
  thread_ = ThreadState::of_this_thread();
  main_fiber_ = {};  // what sanitizers know of the stack may be about another thread
  running_ = true;
  return std::exchange(running_scheduler, this);
}

void Scheduler::leave_thread(Scheduler* outer) noexcept {
  running_ = false;
  running_scheduler = outer;
}

void Scheduler::check_none_runs(const char* call) {
  // In a child that a task or callback has forked, the loop around it is the parent's.
  if (running_scheduler == nullptr || running_scheduler->reactor_.forked()) return;
  throw NestedRunError(std::string{call} +
                       " cannot be called while an event loop runs on this thread: use "
                       "await(create_task(...)) in a task, and create_task(...) in a callback");
}

void Scheduler::wake_host() noexcept {
  host_asleep_ = false;
  reactor_.work_arrived();
}

// ---- The batch ----------------------------------------------------------------------------------

std::size_t Scheduler::ready_count() const noexcept {
  std::size_t count = ready_count_;
  for (const ReadyNode* node = batch_.front(); node != nullptr; node = node->next_ready) ++count;
  return count;
}

void Scheduler::form_batch() noexcept {
  for (ReadyList& list : ready_) batch_.splice_back(list);
  ready_count_ = 0;
  if (shuffle_) [[unlikely]]
    shuffle_batch();
}

// For tests: tasks of one turn may run in any order that keeps priorities; callbacks keep theirs.
void Scheduler::shuffle_batch() noexcept {
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

// The check comes last, so that each call gets something done even with the smallest budget.
template <class Enough>
bool Scheduler::run_until(Enough&& enough) noexcept {
  if (batch_.empty()) form_batch();
  next_batch_ = false;
  begin_slice();
  while (!batch_.empty() && !stopping_ && !next_batch_ && !reactor_.forked()) {
    switches_left_ = direct_ && !main_ended_ ? look_every_ : 0;
    ReadyNode& node = *batch_.pop_front();
    if (node.is_task) {
      resume(static_cast<TaskControl&>(node));
    } else {
      run_callback(node);
    }
    if (enough()) break;
  }
  switches_left_ = 0;
  return batch_.empty() || next_batch_;
}

bool Scheduler::run_slice() noexcept {
  return run_until([this] { return slice_has_ended(); });
}

void Scheduler::run_ready(TimePoint budget_end) noexcept {
  run_until([&] { return budget_end != TimePoint::max() && Clock::now() >= budget_end; });
}

void Scheduler::resume(TaskControl& task) noexcept {
  ++switches_;
  const bool debug = rooms_.options.debug;
  const TimePoint began = debug ? Clock::now() : TimePoint{};
  const TaskRef keep = debug ? TaskRef::share(task) : TaskRef{};
  current_ = &task;
  prefetch_next();
  switch_fiber(thread_, main_fiber_, task.fiber);
  current_ = nullptr;
  if (debug && Clock::now() - began > slow_slice) {
    std::fprintf(stderr, "asyncio: task '%s' kept the loop busy for %.0f ms without suspending\n",
                 task.display_name().c_str(), milliseconds_since(began));
  }
}

void Scheduler::run_callback(ReadyNode& node) noexcept {
  auto& ready = static_cast<ReadyCallback&>(node);
  if (holding_) {
    held_.push_back(ready);
    return;
  }
  const std::unique_ptr<ReadyCallback> owner{&ready};
  const bool debug = rooms_.options.debug;
  const TimePoint began = debug ? Clock::now() : TimePoint{};
  try {
    ready.callback();
  } catch (...) {
    if (rooms_.failures.callback_failed(std::current_exception(), "a callback")) stop();
  }
  if (debug && Clock::now() - began > slow_slice) {
    std::fprintf(stderr, "asyncio: a callback kept the loop busy for %.0f ms\n",
                 milliseconds_since(began));
  }
}

// ---- Switching ----------------------------------------------------------------------------------

// With many tasks, what runs next lies in no cache, so it is fetched while this one runs: the stack
// from the saved registers upwards, as far as waits are deep, and the control block of the task
// after it.  Measured: more of either is slower; a yield needs less than a wait.
void Scheduler::prefetch_next() const noexcept {
  const ReadyNode* next = batch_.front();
  if (next == nullptr || !next->is_task) return;
  constexpr int line = 64;
  const auto& task = static_cast<const TaskControl&>(*next);
  const auto* const saved = static_cast<const char*>(task.fiber.saved);
  for (int i = 0; i < task.stack_lines; ++i) __builtin_prefetch(saved + i * line, 1);
  __builtin_prefetch(next->next_ready, 1);
}

// A slice is a stretch of time, whatever a step costs.  While steps are quick, few of them are
// timed.
[[gnu::noinline]] bool Scheduler::slice_goes_on() noexcept {
  if (!direct_ || main_ended_) return false;
  if (slice_is_over()) {
    look_every_ = 1;
    return false;
  }
  switches_left_ = look_every_;
  look_every_ = std::min(look_every_ * 2, most_switches_between_looks);
  return true;
}

// Returns the task that takes over directly from one that stops running, and makes it the current
// one.  Returns null if the loop's own stack has to take over.
inline TaskControl* Scheduler::next_in_slice() noexcept {
  current_ = nullptr;
  if (stopping_ || (switches_left_ == 0 && !slice_goes_on())) return nullptr;
  if (batch_.empty()) {
    if (ready_count_ == 0 || reactor_.inbox().has_posts()) return nullptr;
    form_batch();
    next_batch_ = true;
  }
  if (!batch_.front()->is_task) return nullptr;
  --switches_left_;
  ++switches_;
  current_ = static_cast<TaskControl*>(batch_.pop_front());
  prefetch_next();
  return current_;
}

// The switch comes last, so that it is a tail call.
void Scheduler::park(TaskControl& self) noexcept {
  ++self.suspensions;
  self.budget = TaskControl::whole_budget;  // for when it goes on
  self.look_at = self.first_look;
  if (TaskControl* next = next_in_slice(); next == nullptr) {
    switch_fiber(thread_, self.fiber, main_fiber_);
  } else if (next != &self) {
    switch_fiber(thread_, self.fiber, next->fiber);
  }
}

void Scheduler::leave(const Fiber& ended) noexcept {
  if constexpr (under_asan || under_tsan) dying_ = ended;
  TaskControl* next = next_in_slice();
  leave_fiber(thread_, dying_, next == nullptr ? main_fiber_ : next->fiber);
}

void Scheduler::look_at_budget(TaskControl& self) noexcept {
  if (slice_has_ended()) {
    self.first_look = TaskControl::whole_budget - 1;
  } else if (self.budget != 0) {
    const auto done = static_cast<std::uint8_t>(TaskControl::whole_budget - self.budget);
    self.look_at = done < self.budget ? static_cast<std::uint8_t>(self.budget - done) : 0;
    if (done <= most_completions_between_looks / 2) self.first_look = self.look_at;
    return;
  }
  yield(self);  // no waiter is set, so no cancel can be delivered here
}

void Scheduler::call_on_stack_of(TaskControl& parked, void (*call)(void*),
                                 void* argument) noexcept {
  Fiber here;
  call_on_fiber(thread_, current_ != nullptr ? current_->fiber : here, parked.fiber, call,
                argument);
}

// ---- The end ------------------------------------------------------------------------------------

ReadyList Scheduler::take_all() noexcept {
  for (ReadyList& list : ready_) batch_.splice_back(list);
  ready_count_ = 0;
  return std::exchange(batch_, {});
}

void Scheduler::release_held() noexcept {
  ReadyList later = take_all();
  held_.splice_back(later);
  while (!held_.empty()) make_ready(*held_.pop_front());
}

void Scheduler::drop_callbacks() noexcept {
  ReadyList all = take_all();
  while (!all.empty()) {
    ReadyNode& node = *all.pop_front();
    if (node.is_task) {
      make_ready(node);
    } else {
      delete static_cast<ReadyCallback*>(&node);
    }
  }
}

void Scheduler::drop_tasks() noexcept {
  ReadyList all = take_all();
  while (!all.empty()) {
    ReadyNode& node = *all.pop_front();
    if (!node.is_task) make_ready(node);
  }
}

}  // namespace asyncio::detail

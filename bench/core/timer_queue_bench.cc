// A timer cancelled and made anew while many are pending, with nothing but the data structure: the
// project's queue beneath sleep() and every timeout, next to those of libev and libevent.
//
// Deadlines count from a time that was looked at before, as those of libev do.  libevent takes the
// kernel's coarse time for each.  The project takes the exact time for every wait, so that no timer
// is early by as long as a callback before it took: the second contender pays for that, too.
#include <cstddef>
#include <deque>

#include <asyncio/core/internal/reactor/timer_queue.h>

#include "../support/raw_loops.h"
#include "../support/raw_timers.h"
#include "../support/rows.h"
#include "../support/timers.h"

namespace bench {
namespace {

template <bool looks_at_clock>
class QueueTimers {
 public:
  explicit QueueTimers(const TimersShape& shape) {
    for (std::size_t i = 0; i < shape.pending; ++i) {
      nodes_.emplace_back([](asyncio::detail::TimerNode&) {});
    }
  }
  void arm(std::size_t index, double seconds) {
    const auto now = looks_at_clock ? Clock::now() : looked_at_;
    queue_.arm(nodes_[index], now + asyncio::to_duration(seconds));
  }
  void move(std::size_t index, double seconds) {
    cancel(index);
    arm(index, seconds);
  }
  void cancel(std::size_t index) { queue_.disarm(nodes_[index]); }
  void fire_all() {
    while (auto* node = queue_.due(asyncio::TimePoint::max())) queue_.disarm(*node);
  }

 private:
  const asyncio::TimePoint looked_at_ = Clock::now();
  asyncio::detail::TimerQueue queue_;
  std::deque<asyncio::detail::TimerNode> nodes_;
};

const Subject subject("core.timer_queue", [](Rows& rows) {
  const auto sizes = rows.sizes({1'000, 1'000'000}, {10'000, 100'000});
  for (const TimersShape& shape : timers_shapes({TimerOp::insert_cancel}, sizes)) {
    add_timers<QueueTimers<false>>(rows, "asyncio", shape);
    add_timers<QueueTimers<true>>(rows, "asyncio@clock", shape);
    for_each_raw_timer_loop(
        [&]<class Loop>() { add_timers<raw::Timers<Loop>>(rows, Loop::name, shape); });
  }
});

}  // namespace
}  // namespace bench

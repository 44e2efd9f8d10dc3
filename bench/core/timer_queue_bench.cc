// A timer cancelled and made anew while many are pending, with nothing but the data structure: the
// project's queue beneath sleep() and every timeout, next to those of libev and libevent.
//
// Each new deadline is taken from the clock, as the project does for every wait; libev and libevent
// count from the time they looked last.
#include <cstddef>
#include <deque>

#include <asyncio/core/internal/timer_queue.h>

#include "../support/raw_loops.h"
#include "../support/raw_timers.h"
#include "../support/rows.h"
#include "../support/timers.h"

namespace bench {
namespace {

class QueueTimers {
 public:
  explicit QueueTimers(const TimersShape& shape) {
    for (std::size_t i = 0; i < shape.pending; ++i) {
      nodes_.emplace_back([](asyncio::detail::TimerNode&) {});
    }
  }
  void arm(std::size_t index, double seconds) {
    queue_.arm(nodes_[index], Clock::now() + asyncio::to_duration(seconds));
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
  asyncio::detail::TimerQueue queue_;
  std::deque<asyncio::detail::TimerNode> nodes_;
};

const Subject subject("core.timer_queue", [](Rows& rows) {
  const auto sizes = rows.sizes({1'000, 1'000'000}, {10'000, 100'000});
  for (const TimersShape& shape : timers_shapes({TimerOp::insert_cancel}, sizes)) {
    add_timers<QueueTimers>(rows, "asyncio", shape);
    for_each_raw_timer_loop(
        [&]<class Loop>() { add_timers<raw::Timers<Loop>>(rows, Loop::name, shape); });
  }
});

}  // namespace
}  // namespace bench

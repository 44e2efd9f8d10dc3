// Timers: made, cancelled, moved and fired while many others are pending.
//
// asyncio is EventLoop::call_later, which allocates a callback and gives a name that is never
// reused; the raw timers are structs that the program owns.  core.timer_queue compares like with
// like.  Only firing has to do with a backend.
#include <cstddef>
#include <string>
#include <vector>

#include <asyncio/asyncio.h>

#include "../support/raw_loops.h"
#include "../support/raw_timers.h"
#include "../support/rows.h"
#include "../support/timers.h"

namespace bench {
namespace {

class AsyncioTimers {
 public:
  explicit AsyncioTimers(const TimersShape& shape, const std::string& backend = "auto")
      : loop_(asyncio::make_backend(backend)), ids_(shape.pending) {}

  void arm(std::size_t index, double seconds) {
    ids_[index] = loop_.call_later(seconds, [] {});
  }
  void move(std::size_t index, double seconds) {
    cancel(index);
    arm(index, seconds);
  }
  void cancel(std::size_t index) { loop_.del_timer(ids_[index]); }
  void fire_all() { loop_.run(); }

 private:
  asyncio::EventLoop loop_;
  std::vector<asyncio::TimerId> ids_;
};

const Subject subject("core.timers", [](Rows& rows) {
  for (const TimersShape& shape : timers_shapes(rows)) {
    if (shape.fires()) {
      for (const std::string& backend : asyncio::available_backends()) {
        add_timers<AsyncioTimers>(rows, "asyncio@" + backend, shape, backend);
      }
    } else {
      add_timers<AsyncioTimers>(rows, "asyncio", shape);
    }
    for_each_raw_timer_loop(
        [&]<class Loop>() { add_timers<raw::Timers<Loop>>(rows, Loop::name, shape); });
  }
});

}  // namespace
}  // namespace bench

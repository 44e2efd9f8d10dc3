// Timers of a raw loop, for bench/support/timers.h.
#pragma once

#include <cstddef>
#include <vector>

#include "timers.h"

namespace bench::raw {

template <class Loop>
class Timers {
 public:
  explicit Timers(const TimersShape& shape) {
    if constexpr (requires { loop_.expect_many_timers_of(1.0); }) {
      if (shape.equal) loop_.expect_many_timers_of(shape.seconds(0));
    }
    timers_.reserve(shape.pending);
    for (std::size_t i = 0; i < shape.pending; ++i) timers_.emplace_back(loop_);
  }

  void arm(std::size_t index, double seconds) { timers_[index].start(seconds); }
  void move(std::size_t index, double seconds) { timers_[index].restart(seconds); }
  void cancel(std::size_t index) { timers_[index].stop(); }
  void fire_all() { loop_.run(); }

 private:
  struct Timer : Loop::template Timer<Timer> {
    using Loop::template Timer<Timer>::Timer;
    void on_time() {}
  };
  Loop loop_;
  std::vector<Timer> timers_;
};

}  // namespace bench::raw

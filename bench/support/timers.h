// Work for timers, the same for every contender.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <string_view>
#include <thread>
#include <vector>

#include "percentiles.h"
#include "rows.h"

namespace bench {

enum class TimerOp { insert, cancel, insert_cancel, move, fire, mostly_cancelled };

constexpr std::string_view to_string(TimerOp op) {
  constexpr std::string_view names[] = {"insert", "cancel", "insert_cancel",
                                        "move",   "fire",   "mostly_cancelled"};
  return names[static_cast<std::size_t>(op)];
}

struct TimersShape {
  TimerOp op = TimerOp::insert;
  std::size_t pending = 0;
  bool equal = false;  ///< all of one length, as the timeouts of one server; else evenly spread

  /// How long the timer is: ones that are to fire are short.
  double seconds(std::size_t index) const {
    const double from = fires() ? 0.001 : 10;
    return equal ? from : from * (1 + static_cast<double>(index * 7919 % 10'007) / 10'007);
  }
  bool fires() const { return op == TimerOp::fire || op == TimerOp::mostly_cancelled; }
};

inline Params to_params(const TimersShape& shape) {
  return {{"op", to_string(shape.op)},
          {"pending", shape.pending},
          {"spread", shape.equal ? "equal" : "uniform"}};
}

inline std::vector<TimersShape> timers_shapes(const std::vector<TimerOp>& ops,
                                              const std::vector<std::int64_t>& sizes) {
  std::vector<TimersShape> shapes;
  for (const TimerOp op : ops) {
    for (const std::int64_t pending : sizes) {
      for (const bool equal : {false, true}) {
        shapes.push_back({.op = op, .pending = static_cast<std::size_t>(pending), .equal = equal});
      }
    }
  }
  return shapes;
}

/// Those of core.timers.
inline std::vector<TimersShape> timers_shapes(const Rows& rows) {
  return timers_shapes({TimerOp::insert, TimerOp::cancel, TimerOp::insert_cancel, TimerOp::move,
                        TimerOp::fire, TimerOp::mostly_cancelled},
                       rows.sizes({1'000, 100'000}, {10'000, 1'000'000}));
}

/// Every index once, shuffled, the same each time.
inline std::vector<std::size_t> shuffled(std::size_t count) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::shuffle(order.begin(), order.end(), std::mt19937{1});
  return order;
}

/// Times one operation on each of the timers.  `Timers` is made of the shape and `where`, if
/// anything, and has arm, move, cancel and fire_all.
template <class Timers>
class TimersBench {
 public:
  template <class... Where>
  TimersBench(State& state, const TimersShape& shape, const Where&... where)
      : state_(state), shape_(shape), timers_(shape, where...), order_(shuffled(shape.pending)) {}

  void run() {
    if (shape_.op == TimerOp::insert_cancel || shape_.op == TimerOp::move) {
      arm_all();
      state_.begin_as_it_is();  // every timer has been touched, of which there may be a million
      rounds([&] { change_all(); }, [] {});
      cancel_all();
    } else if (shape_.op == TimerOp::insert) {
      rounds([&] { arm_all(); }, [&] { cancel_all(); });
    } else if (shape_.op == TimerOp::cancel) {
      arm_all();
      rounds([&] { cancel_all(); }, [&] { arm_all(); });
      cancel_all();
    } else {
      rounds_that_fire();
    }
  }

 private:
  template <class Timed, class Untimed>
  void rounds(Timed timed, Untimed untimed) {
    while (state_.KeepRunningBatch(static_cast<std::int64_t>(shape_.pending))) {
      state_.SetIterationTime(time(timed));
      untimed();
    }
  }

  /// Arms them all, cancels most of them or none, and lets the rest fire; that time comes is not
  /// part of the work.
  void rounds_that_fire() {
    const bool all_fire = shape_.op == TimerOp::fire;
    while (state_.KeepRunningBatch(static_cast<std::int64_t>(shape_.pending))) {
      const double arming = time([&] {
        arm_all();
        if (!all_fire) cancel_most();
      });
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
      const double firing = time([&] { timers_.fire_all(); });
      state_.SetIterationTime(all_fire ? firing : arming + firing);
    }
  }

  template <class Work>
  static double time(Work work) {
    const auto began = Clock::now();
    work();
    return in_seconds(Clock::now() - began);
  }

  void arm_all() {
    for (const std::size_t index : order_) timers_.arm(index, shape_.seconds(index));
  }
  void cancel_all() {
    for (const std::size_t index : order_) timers_.cancel(index);
  }
  void cancel_most() {
    for (const std::size_t index : order_) {
      if (index % 100 != 0) timers_.cancel(index);
    }
  }
  void change_all() {
    for (const std::size_t index : order_) {
      if (shape_.op == TimerOp::move) {
        timers_.move(index, shape_.seconds(index));
      } else {
        timers_.cancel(index);
        timers_.arm(index, shape_.seconds(index));
      }
    }
  }

  State& state_;
  TimersShape shape_;
  Timers timers_;
  std::vector<std::size_t> order_;
};

/// One round of many timers, or several of few.
template <class Timers, class... Where>
void add_timers(Rows& rows, std::string_view contender, const TimersShape& shape,
                const Where&... where) {
  // Each round of timers that fire waits for them.
  const std::size_t enough = rows.smoke() ? 1 : shape.fires() ? 20'000 : 100'000;
  const std::size_t rounds = std::max<std::size_t>(1, enough / shape.pending);
  rows.add_self_timed(contender, to_params(shape),
                      [=](State& state) { TimersBench<Timers>(state, shape, where...).run(); })
      ->Iterations(static_cast<std::int64_t>(rounds * shape.pending));
}

}  // namespace bench

// Threads that post to a loop.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "percentiles.h"
#include "processors.h"
#include "rows.h"

namespace bench {

constexpr std::int64_t kPostsEach = 10'000;

/// Every one of `producers` threads calls `post()` kPostsEach times, all at once, while the loop
/// runs on a processor of its own if there are two.
class Posters {
 public:
  template <class Post>
  Posters(std::int64_t producers, Post post) {
    for (std::int64_t i = 0; i < producers; ++i) {
      threads_.emplace_back([this, post] {
        move_to_other_cpu();
        ready_.fetch_add(1);
        go_.wait(false);
        for (std::int64_t n = 0; n < kPostsEach; ++n) post();
      });
    }
    while (ready_.load() < producers) std::this_thread::yield();
  }
  /// From here on they post, and the clock runs.
  void start() {
    began_ = Clock::now();
    go_ = true;
    go_.notify_all();
  }
  double seconds_since_start() const { return in_seconds(Clock::now() - began_); }

 private:
  std::atomic<std::int64_t> ready_ = 0;
  std::atomic<bool> go_ = false;
  Clock::time_point began_;
  std::vector<std::jthread> threads_;  // last: joined before the rest goes
};

/// Times rounds: `run(count)` posts from several threads must run a loop until `count` have come.
/// It gives the seconds from the first post.
template <class Run>
void time_posts(State& state, std::int64_t producers, Run run) {
  const std::int64_t posts = producers * kPostsEach;
  while (state.KeepRunningBatch(posts)) state.SetIterationTime(run(posts));
}

}  // namespace bench

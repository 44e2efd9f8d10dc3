// Boost.Fiber in the subjects it has an answer for.
//
// As its manual advises: one thread with the default round robin, pooled stacks where fibers come
// and go, channels from the library.  A fiber that begins by launch::dispatch is entered at once,
// which is the cheaper way here.
#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <numeric>
#include <vector>

#include <boost/fiber/all.hpp>

#include "../support/contention.h"
#include "../support/lateness.h"
#include "../support/parked.h"
#include "../support/rows.h"
#include "../support/skynet.h"
#include "../support/sleep_rounds.h"

namespace bench {
namespace {

namespace fibers = boost::fibers;
namespace this_fiber = boost::this_fiber;

constexpr const char* kName = "boost_fiber";

void join_all(std::vector<fibers::fiber>& all) {
  for (fibers::fiber& fiber : all) fiber.join();
}

/// The dispatcher destroys the fibers that have ended and frees their stacks, when its turn comes.
/// Without one, what this row has left would be freed at the expense of the next.
void free_ended() { this_fiber::yield(); }

const Subject yield("core.yield", [](Rows& rows) {
  for (const std::int64_t tasks : rows.sizes({2, 10'000}, {100, 1'000})) {
    rows.add(kName, {{"tasks", tasks}}, [=](State& state) {
      bool over = false;
      std::vector<fibers::fiber> others;
      for (std::int64_t i = 1; i < tasks; ++i) {
        others.emplace_back([&] {
          while (!over) this_fiber::yield();
        });
      }
      while (state.KeepRunningBatch(tasks)) this_fiber::yield();
      over = true;
      join_all(others);
      free_ended();
    });
  }
});

void spawn_pooled(State& state) {
  fibers::pooled_fixedsize_stack stacks;
  for (auto _ : state) {
    int result = 0;
    fibers::fiber(fibers::launch::dispatch, std::allocator_arg, stacks, [&] { result = 1; }).join();
    benchmark::DoNotOptimize(result);
  }
}

void spawn_cold(State& state) {
  constexpr std::int64_t kCold = 1'000;
  while (state.KeepRunningBatch(kCold)) {
    std::vector<fibers::fiber> all;
    int sum = 0;
    for (std::int64_t i = 0; i < kCold; ++i) {
      // post: all of them are alive at once, as those of the others
      all.emplace_back(fibers::launch::post, std::allocator_arg,
                       fibers::protected_fixedsize_stack(), [&] { ++sum; });
    }
    join_all(all);
    free_ended();  // timed: the others unmap their stacks, too
    benchmark::DoNotOptimize(sum);
  }
}

const Subject spawn("core.spawn_await", [](Rows& rows) {
  rows.add(kName, {{"stacks", "pooled"}}, spawn_pooled);
  rows.add(kName, {{"stacks", "cold"}}, spawn_cold);
});

template <class Channel>
void hop(State& state, Channel& channel) {
  fibers::fiber putter([&] {
    for (int item = 0; channel.push(item) == fibers::channel_op_status::success; ++item) {
    }
  });
  for (auto _ : state) benchmark::DoNotOptimize(channel.value_pop());
  channel.close();
  putter.join();
}

const Subject queue_hop("concurrency.queue_hop", [](Rows& rows) {
  rows.add(kName, {{"capacity", 0}}, [](State& state) {
    fibers::unbuffered_channel<int> channel;
    hop(state, channel);
  });
  rows.add(kName, {{"capacity", 128}}, [](State& state) {
    fibers::buffered_channel<int> channel(128);
    hop(state, channel);
  });
});

const Subject sleep_many("core.sleep_many", [](Rows& rows) {
  // A guarded stack is two mappings here, and the kernel's limit is 65,530: so these have none.
  for (const std::int64_t tasks : rows.sizes({1'000, 100'000}, {10'000})) {
    add_sleep_rounds(rows, kName, tasks, [=](State& state) {
      fibers::pooled_fixedsize_stack stacks(16 * 1024, 1'024, 0);
      time_sleep_rounds(state, [&] {
        std::vector<fibers::fiber> all;
        for (std::int64_t i = 0; i < tasks; ++i) {
          all.emplace_back(std::allocator_arg, stacks, [] { this_fiber::sleep_for(kLongSleep); });
        }
        join_all(all);
        free_ended();
      });
    });
  }
});

const Subject lateness("core.sleep_lateness", [](Rows& rows) {
  add_lateness(rows, kName, [](State& state) {
    time_sleeps(state, [] { this_fiber::sleep_for(kShortSleep); });
  });
});

void lock_free_mutex(State& state) {
  fibers::mutex lock;
  for (auto _ : state) const std::lock_guard guard(lock);
}

void contend(State& state, std::int64_t tasks) {
  fibers::pooled_fixedsize_stack stacks;
  fibers::mutex lock;
  while (state.KeepRunningBatch(tasks * kLocksEach)) {
    std::vector<fibers::fiber> all;
    for (std::int64_t i = 0; i < tasks; ++i) {
      all.emplace_back(std::allocator_arg, stacks, [&] {
        for (std::int64_t n = 0; n < kLocksEach; ++n) {
          const std::lock_guard guard(lock);
          this_fiber::yield();
        }
      });
    }
    join_all(all);
  }
  free_ended();
}

const Subject mutex("concurrency.mutex", [](Rows& rows) {
  rows.add(kName, {{"tasks", 1}}, lock_free_mutex);
  for (const std::int64_t tasks : rows.sizes({2, 100})) {
    rows.add(kName, {{"tasks", tasks}}, [=](State& state) { contend(state, tasks); });
  }
});

const Subject gather("concurrency.gather", [](Rows& rows) {
  for (const std::int64_t tasks : rows.sizes({10, 1'000})) {
    rows.add(kName, {{"tasks", tasks}}, [=](State& state) {
      fibers::pooled_fixedsize_stack stacks;
      std::vector<int> results(static_cast<std::size_t>(tasks));
      while (state.KeepRunningBatch(tasks)) {
        std::vector<fibers::fiber> all;
        for (int& result : results) {
          all.emplace_back(std::allocator_arg, stacks, [&] { result = 1; });
        }
        join_all(all);
        benchmark::DoNotOptimize(results.data());
      }
      free_ended();
    });
  }
});

/// Adds up the numbers of ten subtrees, each in a fiber of its own.
std::int64_t skynet(fibers::pooled_fixedsize_stack& stacks, std::int64_t first,
                    std::int64_t leaves) {
  if (leaves == 1) return first;
  std::array<std::int64_t, 10> sums{};
  std::array<fibers::fiber, 10> children;
  for (std::size_t i = 0; i < children.size(); ++i) {
    const std::int64_t begin = first + static_cast<std::int64_t>(i) * leaves / 10;
    children[i] = fibers::fiber(fibers::launch::dispatch, std::allocator_arg, stacks,
                                [&, i, begin] { sums[i] = skynet(stacks, begin, leaves / 10); });
  }
  for (fibers::fiber& child : children) child.join();
  return std::accumulate(sums.begin(), sums.end(), std::int64_t{0});
}

const Subject skynet_subject("core.skynet", [](Rows& rows) {
  for (const std::int64_t leaves : rows.sizes({1'000, 100'000}, {1'000'000})) {
    rows.add(kName, {{"leaves", leaves}}, [=](State& state) {
      fibers::pooled_fixedsize_stack stacks;
      time_skynet(state, leaves, [&] {
        const std::int64_t sum = skynet(stacks, 0, leaves);
        free_ended();  // timed: each tree pays for its own fibers
        return sum;
      });
    });
  }
});

void park(std::int64_t tasks, ParkedProbe& probe) {
  fibers::mutex lock;
  fibers::condition_variable never;
  std::vector<fibers::fiber> all;
  probe.begin();
  for (std::int64_t i = 0; i < tasks; ++i) {
    all.emplace_back(std::allocator_arg, fibers::protected_fixedsize_stack(), [&] {
      std::unique_lock held(lock);
      never.wait(held);
    });
  }
  this_fiber::yield();  // now all of them are parked
  probe.end();
}

// Guarded as ours: two mappings for a stack, of which the kernel gives 65,530.
const Subject parked("core.parked_memory",
                     [](Rows& rows) { add_parked(rows, kName, park, 30'000); });

}  // namespace
}  // namespace bench

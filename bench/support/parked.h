// The memory of parked tasks, measured alike for every contender.
#pragma once

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <new>
#include <stdexcept>
#include <string_view>

#include "../echo/process_probe.h"
#include "descriptors.h"
#include "percentiles.h"
#include "rows.h"

namespace bench {

/// Told by the contender when the first task is about to be made, and when the last one is parked.
class ParkedProbe {
 public:
  void begin() {
    kb_ = echo_bench::resident_kb(::getpid());
    began_ = Clock::now();
  }
  void end() {
    seconds_ = in_seconds(Clock::now() - began_);
    kb_ = echo_bench::resident_kb(::getpid()) - kb_;
    ::_exit(0);  // without ending the tasks: that is not measured
  }
  double seconds() const { return seconds_; }
  double bytes() const { return kb_ * 1024; }

 private:
  Clock::time_point began_;
  double seconds_ = 0;
  double kb_ = 0;
};

/// `park(tasks, probe)` runs in a forked process, which ends in probe.end().
inline void measure_parked(State& state, void (*park)(std::int64_t, ParkedProbe&),
                           std::int64_t tasks) {
  void* const shared = ::mmap(nullptr, sizeof(ParkedProbe), PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  auto& probe = *new (shared) ParkedProbe;
  state.begin_as_it_is();  // its first touch is the price of a task; the process is new each time
  while (state.KeepRunningBatch(tasks)) {
    const pid_t child = checked(::fork(), "fork");
    if (child == 0) {
      park(tasks, probe);
      ::_exit(1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (status != 0) throw std::runtime_error("the process that parks tasks has failed");
    state.SetIterationTime(probe.seconds());
  }
  state.counters["bytes_per_task"] = probe.bytes() / static_cast<double>(tasks);
  ::munmap(shared, sizeof(ParkedProbe));
}

/// `most`: how many tasks the contender can have.
inline void add_parked(Rows& rows, std::string_view contender,
                       void (*park)(std::int64_t, ParkedProbe&), std::int64_t most) {
  for (const std::int64_t tasks : rows.sizes({1'000, 100'000}, {10'000, 1'000'000})) {
    if (tasks > most) continue;
    rows.add_self_timed(contender, {{"tasks", tasks}},
                        [=](State& state) { measure_parked(state, park, tasks); })
        ->Iterations(tasks);
  }
}

}  // namespace bench

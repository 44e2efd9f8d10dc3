// Where a benchmark runs: what is measured has one processor, and its counterpart, a client or
// threads that post, another one, if there are two.
#pragma once

#include <sched.h>

#include <cstdlib>
#include <optional>
#include <vector>

namespace bench {

/// The processors the calling thread may use, lowest first.
inline std::vector<int> usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

/// Keeps the calling thread, and what it will start, on one processor.
inline void pin_to_cpu(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  ::sched_setaffinity(0, sizeof(set), &set);
}

struct Processors {
  std::optional<int> measured;
  std::optional<int> other;

  /// Those of this program, as it found them when it first asked.  Who pins it to one processor
  /// names the other one in BENCH_OTHER_CPU.
  static const Processors& of_program() {
    static const Processors found = [] {
      const std::vector<int> cpus = usable_cpus();
      Processors processors;
      if (!cpus.empty()) processors.measured = cpus.front();
      const char* const named = std::getenv("BENCH_OTHER_CPU");
      if (named != nullptr && *named != '\0') {
        processors.other = std::atoi(named);
      } else if (cpus.size() > 1) {
        processors.other = cpus[1];
      }
      return processors;
    }();
    return found;
  }
};

/// For a thread or process that is measured.
inline void move_to_measured_cpu() {
  if (const auto cpu = Processors::of_program().measured) pin_to_cpu(*cpu);
}
/// For the other side.  Stays where it is if there is but one processor.
inline void move_to_other_cpu() {
  if (const auto cpu = Processors::of_program().other) pin_to_cpu(*cpu);
}

}  // namespace bench

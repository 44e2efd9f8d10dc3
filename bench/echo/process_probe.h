// What the kernel knows about another process: CPU time, open descriptors, memory.
#pragma once

#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace echo_bench {

/// User and system time of all its threads so far, in µs.  The process's own clock is exact to the
/// nanosecond; /proc/PID/stat counts in steps of 10 ms.
inline double cpu_time_us(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0) {
    throw std::runtime_error("no CPU clock of process " + std::to_string(pid) + ": has it ended?");
  }
  return static_cast<double>(time.tv_sec) * 1e6 + static_cast<double>(time.tv_nsec) / 1e3;
}

/// How many descriptors it has open.
inline long open_descriptors(pid_t pid) {
  const std::filesystem::directory_iterator entries("/proc/" + std::to_string(pid) + "/fd");
  return static_cast<long>(std::distance(begin(entries), end(entries)));
}

/// Its resident memory in kB.  smaps_rollup walks the page tables; the cheaper counters of
/// /proc/PID/status lag behind by up to some hundred pages.
inline double resident_kb(pid_t pid) {
  for (const char* file : {"/smaps_rollup", "/status"}) {
    std::ifstream lines("/proc/" + std::to_string(pid) + file);
    for (std::string line; std::getline(lines, line);) {
      double kb = 0;
      if (std::sscanf(line.c_str(), "Rss: %lf kB", &kb) == 1) return kb;
      if (std::sscanf(line.c_str(), "VmRSS: %lf kB", &kb) == 1) return kb;
    }
  }
  throw std::runtime_error("cannot read the memory of process " + std::to_string(pid));
}

}  // namespace echo_bench

// What a server process spends on the messages it gives back.
#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>

#include "../support/percentiles.h"
#include "../support/rows.h"
#include "client.h"
#include "process_probe.h"
#include "server_process.h"
#include "syscall_counter.h"

namespace bench {

/// How many messages to time, so that each connection has its part in it.
inline std::int64_t enough_messages(std::int64_t connections, bool smoke) {
  return smoke ? 2 * connections : std::max<std::int64_t>(10'000, 20 * connections);
}

/// Times as many messages as the row has iterations by the server's CPU time, user and system: what
/// a loop adds to the kernel's work shows, and the client's own work does not.  Before that, every
/// connection has had an answer.  Counter: messages per second on the wall clock.
inline void time_messages(State& state, const ServerProcess& server, EchoClients& clients) {
  const std::int64_t messages = state.max_iterations;
  do {
    clients.run(std::max<std::int64_t>(1, messages / 5));
  } while (!clients.all_served());
  clients.latencies_us().clear();
  state.begin_as_it_is();
  const auto began = Clock::now();
  while (state.KeepRunningBatch(messages)) {
    const double before = echo_bench::cpu_time_us(server.pid());
    clients.run(messages);
    state.SetIterationTime((echo_bench::cpu_time_us(server.pid()) - before) / 1e6);
  }
  state.counters["messages_per_second"] =
      static_cast<double>(state.iterations()) / in_seconds(Clock::now() - began);
}

/// Counter: the server's system calls for each message.  Absent where nothing can count them.
inline void count_syscalls(State& state, const ServerProcess& server, EchoClients& clients) {
  constexpr std::int64_t kCounted = 2'000;
  try {
    echo_bench::SyscallCounter counter(server.pid(), std::nullopt);
    clients.run(kCounted);
    state.counters["syscalls_per_op"] =
        static_cast<double>(counter.stop()) / static_cast<double>(kCounted);
  } catch (const std::runtime_error&) {  // no strace, or no permission
  }
}

}  // namespace bench

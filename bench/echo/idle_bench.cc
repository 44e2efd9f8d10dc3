// Echo over TCP on 100 connections while many others do nothing.  The time is the server's CPU time
// for a message; the counter is the memory that an idle connection takes in the server's process.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "../support/rows.h"
#include "client.h"
#include "measure.h"
#include "server_process.h"
#include "servers.h"

namespace bench {
namespace {

constexpr std::int64_t kActive = 100;

void measure(State& state, const EchoServer& contender, std::int64_t idle) {
  const ServerProcess server(contender.serve);
  EchoClients clients(server, {.connections = kActive});
  clients.run(kActive);
  clients.settle();
  const double kb_before = echo_bench::resident_kb(server.pid());
  EchoClients sleepers(server, {.connections = static_cast<std::size_t>(idle)});
  sleepers.run(idle);
  sleepers.settle();
  state.counters["bytes_per_connection"] =
      (echo_bench::resident_kb(server.pid()) - kb_before) * 1024 / static_cast<double>(idle);
  time_messages(state, server, clients);
}

const Subject subject("echo.idle", [](Rows& rows) {
  for (const std::int64_t idle : rows.sizes({100, 800}, {2'000, 9'000})) {
    for (const EchoServer& contender : EchoServers::all()) {
      if (idle + kActive + 50 > contender.descriptor_limit) continue;
      rows.add_self_timed(contender.contender, {{"idle", idle}},
                          [=](State& state) { measure(state, contender, idle); })
          ->Iterations(enough_messages(kActive, rows.smoke()));
    }
  }
});

}  // namespace
}  // namespace bench

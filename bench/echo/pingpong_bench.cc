// Echo over TCP, one message at a time on each connection.  The time is the server's CPU time for a
// message; the counters are what a client sees, and the server's system calls for a message.
#include <cstdint>

#include "../support/rows.h"
#include "client.h"
#include "measure.h"
#include "server_process.h"
#include "servers.h"

namespace bench {
namespace {

const Subject subject("echo.pingpong", [](Rows& rows) {
  for (const std::int64_t connections : rows.sizes({1, 100, 1'000}, {10, 9'000})) {
    for (const EchoServer& contender : EchoServers::all()) {
      if (connections + 50 > contender.descriptor_limit) continue;
      const bool count = connections == 100;
      rows.add_self_timed(contender.contender, {{"connections", connections}},
                          [=](State& state) {
                            const ServerProcess server(contender.serve);
                            EchoClients clients(
                                server, {.connections = static_cast<std::size_t>(connections)});
                            time_messages(state, server, clients);
                            report_percentiles(state, clients.latencies_us());
                            if (count) count_syscalls(state, server, clients);
                          })
          ->Iterations(enough_messages(connections, rows.smoke()));
    }
  }
});

}  // namespace
}  // namespace bench

// Echo over TCP on each backend, against the number of connections, all of which are busy.  The
// time is the server's CPU time for a message.  echo.pingpong compares with others.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "../support/many_descriptors.h"
#include "../support/rows.h"
#include "client.h"
#include "measure.h"
#include "server_process.h"
#include "servers.h"

namespace bench {
namespace {

/// Fewer for each connection than echo.pingpong takes: here there are more of them.
std::int64_t messages(const Rows& rows, std::int64_t connections) {
  return rows.smoke() ? 2 * connections : std::max<std::int64_t>(10'000, 5 * connections);
}

const Subject subject("echo.connections", [](Rows& rows) {
  for (const std::int64_t connections : fitting(rows.sizes({10, 100, 900, 3'000}, {20'000}))) {
    for (const EchoServer& contender : EchoServers::all()) {
      const bool ours = contender.contender.starts_with("asyncio@");
      if (!ours || connections + 50 > contender.descriptor_limit) continue;
      rows.add_self_timed(contender.contender, {{"connections", connections}},
                          [=](State& state) {
                            const ServerProcess server(contender.serve);
                            EchoClients clients(
                                server, {.connections = static_cast<std::size_t>(connections)});
                            time_messages(state, server, clients);
                          })
          ->Iterations(messages(rows, connections));
    }
  }
});

}  // namespace
}  // namespace bench

// Echo over TCP as a stream: few connections that always have much under way.  The time is the
// server's CPU time for each 512 bytes.
#include "../support/rows.h"
#include "client.h"
#include "measure.h"
#include "server_process.h"
#include "servers.h"

namespace bench {
namespace {

constexpr ClientShape kStream = {
    .connections = 4, .message = 512, .window = 64 * 1024, .low_water = 32 * 1024};

const Subject subject("echo.streaming", [](Rows& rows) {
  for (const EchoServer& contender : EchoServers::all()) {
    const Params params = {{"connections", kStream.connections}, {"message", kStream.message}};
    rows.add_self_timed(contender.contender, params,
                        [=](State& state) {
                          const ServerProcess server(contender.serve);
                          EchoClients clients(server, kStream);
                          time_messages(state, server, clients);
                        })
        ->Iterations(rows.smoke() ? 2'000 : 200'000);
  }
});

}  // namespace
}  // namespace bench

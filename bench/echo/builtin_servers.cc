// The echo servers on our backends and on the raw loops.
#include <sys/select.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <asyncio/asyncio.h>

#include "../support/on_backends.h"
#include "../support/raw_loops.h"
#include "asyncio_server.h"
#include "raw_server.h"
#include "servers.h"

namespace bench {
namespace {

const EchoServers builtin([](std::vector<EchoServer>& servers) {
  for (const std::string& backend : asyncio::available_backends()) {
    servers.push_back({
        .contender = "asyncio@" + backend,
        .serve =
            [backend](int listener) { run_on(backend, [&] { AsyncioEcho(listener).serve(); }); },
        .descriptor_limit = backend == "select" ? FD_SETSIZE : std::numeric_limits<int>::max(),
    });
  }
  for_each_raw_loop([&]<class Loop>() {
    servers.push_back({
        .contender = std::string(Loop::name),
        .serve =
            [](int listener) {
              Loop loop;
              raw::Echo<Loop> echo(loop, listener);
              loop.run();
            },
        .descriptor_limit = Loop::descriptor_limit,
    });
  });
});

}  // namespace
}  // namespace bench

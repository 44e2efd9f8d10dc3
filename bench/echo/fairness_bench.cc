// Echo over TCP on 100 connections while one descriptor in the server's loop is always ready, and
// is read each time.  The time is what a client waits for a message; flood:0 is without the other.
#include <sys/eventfd.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include <asyncio/asyncio.h>

#include "../support/descriptors.h"
#include "../support/on_backends.h"
#include "../support/raw_loops.h"
#include "../support/rows.h"
#include "asyncio_server.h"
#include "client.h"
#include "raw_server.h"
#include "server_process.h"

namespace bench {
namespace {

/// Always readable: every read takes one of very many.
Fd endless() {
  Fd fd(checked(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC | EFD_SEMAPHORE), "eventfd"));
  ::eventfd_write(fd.get(), UINT64_MAX / 2);
  return fd;
}

void read_one(int fd) {
  eventfd_t one = 0;
  ::eventfd_read(fd, &one);
}

void serve_on_asyncio(const std::string& backend, int listener, bool flood) {
  run_on(backend, [&] {
    if (flood) {
      asyncio::create_task([fd = endless()] {
        for (;;) {
          asyncio::wait_readable(fd.get());
          read_one(fd.get());
        }
      });
    }
    AsyncioEcho(listener).serve();
  });
}

template <class Loop>
void serve_on_raw_loop(int listener, bool flood) {
  struct Flood : Loop::template Io<Flood> {
    void on_ready() { read_one(fd.get()); }
    Fd fd = endless();
  };
  Loop loop;
  Flood flooder;
  if (flood) flooder.start(loop, flooder.fd.get());
  raw::Echo<Loop> echo(loop, listener);
  loop.run();
}

void add(Rows& rows, const std::string& contender,
         const std::function<void(int listener, bool flood)>& serve) {
  for (const bool flood : {false, true}) {
    rows.add(contender, {{"connections", 100}, {"flood", int{flood}}},
             [=](State& state) {
               const ServerProcess server([&](int listener) { serve(listener, flood); });
               EchoClients clients(server, {.connections = 100});
               clients.run(2'000);
               clients.latencies_us().clear();
               state.begin_as_it_is();
               while (state.KeepRunningBatch(200)) clients.run(200);
               report_percentiles(state, clients.latencies_us());
             })
        ->Iterations(rows.smoke() ? 200 : 10'000);
  }
}

const Subject subject("echo.fairness", [](Rows& rows) {
  for (const std::string& backend : asyncio::available_backends()) {
    add(rows, "asyncio@" + backend,
        [=](int listener, bool flood) { serve_on_asyncio(backend, listener, flood); });
  }
  for_each_raw_loop(
      [&]<class Loop>() { add(rows, std::string(Loop::name), serve_on_raw_loop<Loop>); });
});

}  // namespace
}  // namespace bench

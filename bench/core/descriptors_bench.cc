// What a backend takes for an event, against the number of descriptors that tasks wait for.
//
// active:10: ten of them become readable in each round, evenly spread.  active:all: all of them do.
// The work is one byte written and read for each event, which is two system calls; the rest is the
// backend and the loop.
#include <sys/select.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <asyncio/asyncio.h>

#include "../support/descriptors.h"
#include "../support/many_descriptors.h"
#include "../support/on_backends.h"
#include "../support/rows.h"

namespace bench {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kFew = 10;

/// Connected sockets.  All of them are waited for: both ends of each pair.
class Sockets {
 public:
  explicit Sockets(std::int64_t count) : pairs_(static_cast<std::size_t>(count + 1) / 2) {}
  int reader(std::int64_t index) const { return end(index); }
  int writer(std::int64_t index) const { return end(index ^ 1); }

 private:
  int end(std::int64_t index) const {
    const SocketPair& pair = pairs_[static_cast<std::size_t>(index / 2)];
    return index % 2 == 0 ? pair.left.get() : pair.right.get();
  }
  std::vector<SocketPair> pairs_;
};

void on_asyncio(State& state, const std::string& backend, std::int64_t fds, std::int64_t active) {
  run_on(backend, [&] {
    const Sockets sockets(fds);
    std::int64_t unread = 0;
    asyncio::Event round_over;
    asyncio::TaskGroup readers;
    for (std::int64_t i = 0; i < fds; ++i) {
      readers.spawn([&, fd = sockets.reader(i)] {
        for (;;) {
          asyncio::wait_readable(fd);
          read_byte(fd);
          if (--unread == 0) round_over.set();
        }
      });
    }
    asyncio::sleep(1ms);  // now all of them wait, and are registered
    const std::int64_t stride = fds / active;
    while (state.KeepRunningBatch(active)) {
      round_over.clear();
      unread = active;
      for (std::int64_t i = 0; i < active; ++i) write_byte(sockets.writer(i * stride));
      round_over.wait();
    }
    readers.cancel();
    readers.wait_all();
  });
}

/// A fixed number of events: thousands of sockets are not to be made again and again, only to find
/// out how many events take the minimal time.
std::int64_t iterations(const Rows& rows, std::int64_t active) {
  const std::int64_t enough = rows.smoke() ? 1 : 20'000;
  return active * std::max<std::int64_t>(1, enough / active);
}

const Subject subject("core.descriptors", [](Rows& rows) {
  const auto sizes = fitting(rows.sizes({10, 30, 100, 300, 1'000, 3'000, 20'000}));
  for (const std::int64_t fds : sizes) {
    for (const bool all : {false, true}) {
      const std::int64_t active = all ? fds : kFew;
      const Params params = {{"fds", fds}, {"active", all ? "all" : std::to_string(kFew)}};
      for (const std::string& backend : asyncio::available_backends()) {
        // Those that a process has anyway count as well: select looks at their numbers.
        if (backend == "select" && fds > FD_SETSIZE - 20) continue;
        rows.add("asyncio@" + backend, params,
                 [=](State& state) { on_asyncio(state, backend, fds, active); })
            ->Iterations(iterations(rows, active));
      }
    }
  }
});

}  // namespace
}  // namespace bench

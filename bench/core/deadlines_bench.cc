// What a wait with a limit takes on each backend while many other timers are pending: a byte is
// written, waited for and read, over and over.
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <asyncio/asyncio.h>

#include "../support/descriptors.h"
#include "../support/on_backends.h"
#include "../support/rows.h"

namespace bench {
namespace {

using namespace std::chrono_literals;

/// Timers that stay pending for as long as it lives, due in 10 s to 20 s.
class Pending {
 public:
  explicit Pending(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      const double spread = static_cast<double>(i * 7919 % 10'007) / 10'007;
      ids_.push_back(loop_.call_later(10 * (1 + spread), [] {}));
    }
  }
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;
  ~Pending() {
    for (const asyncio::TimerId id : ids_) loop_.del_timer(id);
  }

 private:
  asyncio::EventLoop& loop_ = asyncio::get_event_loop();
  std::vector<asyncio::TimerId> ids_;
};

void on_asyncio(State& state, const std::string& backend, std::int64_t timers) {
  run_on(backend, [&] {
    const Pending pending(timers);
    const Pipe pipe;
    for (auto _ : state) {
      write_byte(pipe.in.get());
      asyncio::wait_readable(pipe.out.get(), 15s);  // among the others
      read_byte(pipe.out.get());
    }
    asyncio::notify_closing(pipe.out.get());
  });
}

const Subject subject("core.deadlines", [](Rows& rows) {
  for (const std::int64_t timers : rows.sizes({10, 100, 1'000, 10'000, 100'000}, {1'000'000})) {
    for (const std::string& backend : asyncio::available_backends()) {
      rows.add("asyncio@" + backend, {{"timers", timers}},
               [=](State& state) { on_asyncio(state, backend, timers); })
          ->Iterations(rows.smoke() ? 1 : 10'000);
    }
  }
});

}  // namespace
}  // namespace bench

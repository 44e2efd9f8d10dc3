#include <asyncio/core/signals.h>

#include <stdexcept>
#include <vector>

#include <asyncio/core/internal/loop.h>
#include <asyncio/core/internal/loop_signals.h>

namespace asyncio {

int wait_signal(std::initializer_list<int> signals) {
  if (signals.size() == 0) {
    throw std::invalid_argument("wait_signal({}) would wait for ever: name a signal");
  }
  detail::TaskControl& self = detail::enter_wait("wait_signal");
  detail::LoopSignals& router = self.loop->signals();
  struct Handlers {
    detail::LoopSignals& router;
    std::vector<std::uint64_t> ids;
    ~Handlers() {
      for (const std::uint64_t id : ids) router.remove(id);
    }
  } handlers{router, {}};
  detail::Waiter waiter{detail::WaitKind::signal};
  int arrived = 0;
  for (const int signo : signals) {
    handlers.ids.push_back(router.add(signo, [&](int number) {
      if (arrived == 0) arrived = number;
      detail::wake(waiter);
    }));
  }
  detail::rethrow_cancel(self, detail::suspend(self, waiter));
  return arrived;
}

}  // namespace asyncio

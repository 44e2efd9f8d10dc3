#include <asyncio/core/signals.h>

#include <stdexcept>
#include <vector>

#include <asyncio/core/internal/process/signals.h>
#include <asyncio/core/internal/scheduler.h>

namespace asyncio {
namespace {

constexpr lowlevel::WaitReason signal_wait{"signal"};

}  // namespace

int wait_signal(std::initializer_list<int> signals) {
  if (signals.size() == 0) {
    throw std::invalid_argument("wait_signal({}) would never return: name at least one signal");
  }
  lowlevel::CurrentTask self = lowlevel::enter("wait_signal");
  detail::Signals& router = self.control().scheduler->rooms().signals;
  struct Handlers {
    detail::Signals& router;
    std::vector<std::uint64_t> ids;
    ~Handlers() {
      for (const std::uint64_t id : ids) router.remove(id);
    }
  } handlers{router, {}};
  lowlevel::Waiter waiter{signal_wait};
  int arrived = 0;
  for (const int signo : signals) {
    const auto note = [&](int number) {
      if (arrived == 0) arrived = number;
      lowlevel::wake(waiter);
    };
    handlers.ids.push_back(router.add(signo, note, !self.control().background));
  }
  self.suspend(waiter);
  return arrived;
}

}  // namespace asyncio

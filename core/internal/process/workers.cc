#include <asyncio/core/internal/process/workers.h>

#include <stdexcept>
#include <string>

namespace asyncio::detail {

Workers::Workers(const std::vector<int>& blocked_signals) {
  ::sigemptyset(&blocked_signals_);
  for (const int signo : blocked_signals) {
    if (::sigaddset(&blocked_signals_, signo) == 0) continue;
    throw std::invalid_argument("signals_blocked_in_workers: there is no signal " +
                                std::to_string(signo));
  }
}

}  // namespace asyncio::detail

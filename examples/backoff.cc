// Trying again: with growing random delays, and with a budget for all that try.
#include <chrono>
#include <iostream>
#include <stdexcept>

#include <asyncio/asyncio.h>

using namespace std::chrono_literals;

int failures_left = 3;

void fetch() {
  if (failures_left-- > 0) throw std::runtime_error("not yet");
}

void fetch_patiently(asyncio::RetryBudget& budget) {
  asyncio::Backoff backoff{{.first = 1ms, .most = 20ms}};
  budget.on_attempt();
  for (;;) {
    try {
      return fetch();
    } catch (const std::runtime_error& error) {
      if (!budget.try_retry()) throw;  // too much fails already
      std::cout << error.what() << '\n';
    }
    backoff.wait();
  }
}

int main() {
  asyncio::run([] {
    asyncio::RetryBudget budget{{.ratio = 0.1, .reserve = 5}};
    fetch_patiently(budget);
    std::cout << "done, retries left: " << budget.left() << '\n';
  });
}

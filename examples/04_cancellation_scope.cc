// A CancellationScope: a region of a task that ends as one, with every task started in it.
// Prints what became of four regions: out of time, cancelled, given more time, and shielded.
#include <chrono>
#include <iostream>
#include <optional>
#include <string>

#include <asyncio/asyncio.h>

using namespace std::chrono_literals;
using asyncio::CancellationScope;

std::string answer_after(asyncio::Duration delay) {
  asyncio::sleep(delay);
  return "42";
}

int main() {
  asyncio::run([] {
    // try_run() moves on when the scope itself was cancelled; run() would throw TimeoutException.
    const std::optional<std::string> answer =
        CancellationScope::try_run([] { return answer_after(1h); }, {.timeout = 20ms});
    std::cout << "in time: " << answer.value_or("nothing") << '\n';

    // Tasks belong to the scope they are created in.  When it ends, they have ended too.
    const auto work = [] { asyncio::sleep(1h); };
    asyncio::Task<void> first, second;
    const bool finished = CancellationScope::try_run([&](CancellationScope& scope) {
      first = asyncio::create_task(work);
      second = asyncio::create_task(work);
      asyncio::create_task([&scope] { scope.cancel("enough"); });
      asyncio::await(first);  // the scope is cancelled, so this throws Cancelled, up to its edge
    });
    std::cout << "finished: " << std::boolalpha << finished << ", tasks "
              << asyncio::to_string(first.state()) << " and " << asyncio::to_string(second.state())
              << '\n';

    // A deadline can be moved while the body runs.
    CancellationScope patient{{.timeout = 20ms}};
    const auto late = patient.enter([&] {
      patient.set_deadline(std::nullopt);  // never
      return answer_after(40ms);
    });
    std::cout << "with more time: " << late.value_or("nothing") << '\n';

    // A shield keeps out cancels from outside, for work that must not be left half done.
    CancellationScope::try_run([](CancellationScope& scope) {
      scope.cancel();
      asyncio::shield([] {
        asyncio::sleep(1ms);
        std::cout << "shielded: saved\n";
      });
      asyncio::sleep(1ms);  // the cancel has waited for this call
      std::cout << "never printed\n";
    });
  });
}

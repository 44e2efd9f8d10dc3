// Semaphore: twenty requests, but never more than three at a time.
// Prints how many were made and how many there were at once.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <string>
#include <utility>
#include <vector>

#include <asyncio/asyncio.h>

using namespace std::chrono_literals;

int at_once = 0;
int most_at_once = 0;

int request(int number) {
  most_at_once = std::max(most_at_once, ++at_once);
  asyncio::sleep(2ms);
  --at_once;
  return number;
}

int main() {
  asyncio::run([] {
    auto gate = asyncio::semaphore(3);

    std::vector<asyncio::Task<int>> tasks;
    for (int i = 1; i <= 20; ++i) {
      tasks.push_back(asyncio::create_task([&gate, i] {
        // Waits for a permit, in order of arrival, and gives it back however request() ends.
        return gate.with([i] { return request(i); });
      }));
    }
    int sum = 0;
    for (const int result : asyncio::gather(tasks)) sum += result;
    std::cout << tasks.size() << " requests, sum " << sum << ", at most " << most_at_once
              << " at once\n";

    // Without waiting: take what is there, or do something else.
    gate.acquire(2);
    std::cout << "two of three taken: " << (gate.try_acquire() ? "one more" : "none") << ", then "
              << (gate.try_acquire() ? "one more" : "none") << '\n';
    gate.release(3);

    // A guard of permits can be moved into the task that needs them.
    auto permit = gate.acquire_permit(3);
    asyncio::await(asyncio::create_task([permit = std::move(permit)] { request(21); }));
    std::cout << "with a guard: " << gate.available() << " of " << gate.max() << " are back\n";

    // A permit given back that was not taken is an error, not a fourth permit.
    try {
      gate.release();
    } catch (const asyncio::InvalidStateError&) {
      std::cout << "one release too many is refused\n";
    }
  });
}

// Queue: two producers and three consumers, over a queue that holds two items at most.
// Prints that every item came through once, and that producers had to wait for consumers.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iostream>
#include <vector>

#include <asyncio/asyncio.h>

using namespace std::chrono_literals;

int main() {
  asyncio::run([] {
    asyncio::Queue<int> queue(2);
    std::vector<int> received;
    std::size_t longest = 0;

    asyncio::TaskGroup::run([&](asyncio::TaskGroup& group) {
      for (int consumer = 0; consumer < 3; ++consumer) {
        group.spawn([&] {
          try {
            for (;;) {
              const int item = queue.get();  // waits while the queue is empty
              asyncio::sleep(1ms);           // the work
              received.push_back(item);
            }
          } catch (const asyncio::ClosedError&) {
            // Closed, and nothing is left in it: no more work.
          }
        });
      }
      asyncio::TaskGroup::run([&](asyncio::TaskGroup& producers) {
        for (const int first : {0, 100}) {
          producers.spawn([&, first] {
            for (int item = first; item < first + 10; ++item) {
              queue.put(item);  // waits while the queue is full
              longest = std::max(longest, queue.size());
            }
          });
        }
      });
      queue.close();  // both producers have ended
    });

    std::sort(received.begin(), received.end());
    std::cout << received.size() << " items:";
    for (const int item : received) std::cout << ' ' << item;
    std::cout << "\nat most " << longest << " in the queue\n";
  });
}

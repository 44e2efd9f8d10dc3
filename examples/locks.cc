// Mutex, RwLock and Condition: for data that must not change while a task waits in the middle.
// Prints one line for each.
#include <algorithm>
#include <chrono>
#include <iostream>
#include <mutex>
#include <shared_mutex>

#include <asyncio/asyncio.h>

using namespace std::chrono_literals;
using asyncio::TaskGroup;

void with_a_mutex() {
  // Only needed where a task may suspend in between: nothing else interrupts it.
  asyncio::Mutex mutex;
  int balance = 100;
  TaskGroup::run([&](TaskGroup& group) {
    for (int i = 0; i < 10; ++i) {
      group.spawn([&] {
        const std::lock_guard lock{mutex};
        const int read = balance;
        asyncio::sleep(1ms);
        balance = read - 10;
      });
    }
  });
  std::cout << "mutex: balance " << balance << '\n';
}

void with_readers_and_a_writer() {
  asyncio::RwLock lock;
  int readers = 0;
  int most_readers = 0;
  TaskGroup::run([&](TaskGroup& group) {
    for (int i = 0; i < 5; ++i) {
      group.spawn([&] {
        const std::shared_lock reading{lock};
        most_readers = std::max(most_readers, ++readers);
        asyncio::sleep(1ms);
        --readers;
      });
    }
    group.spawn([&] {
      const std::unique_lock writing{lock};
      std::cout << "rw lock: " << most_readers << " readers at once, then a writer with " << readers
                << " beside it\n";
    });
  });
}

void with_a_condition() {
  asyncio::Mutex mutex;
  asyncio::Condition changed{mutex};
  int stock = 0;
  TaskGroup::run([&](TaskGroup& group) {
    group.spawn([&] {
      const std::lock_guard lock{mutex};
      changed.wait([&] { return stock >= 3; });  // unlocks while it waits
      std::cout << "condition: stock " << stock << '\n';
    });
    for (int i = 0; i < 3; ++i) {
      asyncio::sleep(1ms);
      const std::lock_guard lock{mutex};
      ++stock;
      changed.notify();
    }
  });
}

int main() {
  asyncio::run([] {
    with_a_mutex();
    with_readers_and_a_writer();
    with_a_condition();
  });
}

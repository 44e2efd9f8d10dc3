// TaskGroup: tasks that live and die together.
// Prints the sum of three results, how one failure ends the others, two failures in one group, and
// a server that says when it is ready.
#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>

#include <asyncio/asyncio.h>

using namespace std::chrono_literals;

void all_goes_well() {
  int sum = 0;
  asyncio::TaskGroup::run([&](asyncio::TaskGroup& group) {
    for (int i = 1; i <= 3; ++i) {
      group.spawn([&sum, i] {
        asyncio::sleep(1ms);
        sum += i;  // no lock: tasks of one loop never run at the same time
      });
    }
  });  // here every child has ended
  std::cout << "sum: " << sum << '\n';
}

void one_fails() {
  asyncio::Task<void> sibling;
  try {
    asyncio::TaskGroup::run([&](asyncio::TaskGroup& group) {
      sibling = group.spawn([] { asyncio::sleep(1h); });
      group.spawn([] { throw std::runtime_error("no disk"); });
      asyncio::sleep(1h);  // the body is interrupted too
    });
  } catch (const asyncio::ExceptionGroup& group) {  // a group even for a single failure
    for (const auto& failure : group.exceptions()) {
      std::cout << "failed: " << asyncio::describe(failure) << '\n';
    }
  }
  std::cout << "its sibling: " << asyncio::to_string(sibling.state()) << '\n';
}

void as_an_object() {
  // A group that is an object joins at wait_all(), and at the latest in its destructor.
  asyncio::TaskGroup group;
  group.spawn([] {
    try {
      asyncio::sleep(1h);
    } catch (...) {  // a failure while being cancelled is not lost either
      throw std::runtime_error("second, while being cancelled");
    }
  });
  group.spawn([] { throw std::runtime_error("first"); });
  try {
    group.wait_all();
  } catch (const asyncio::ExceptionGroup& failures) {
    for (const auto& failure : failures.exceptions()) {
      std::cout << "failed: " << asyncio::describe(failure) << '\n';
    }
  }
}

void started() {
  asyncio::TaskGroup::run([](asyncio::TaskGroup& group) {
    // Returns when the task says that it is ready; the task goes on.
    const int port = group.start<int>([](asyncio::TaskStatus<int> status) {
      asyncio::sleep(1ms);   // binds and listens
      status.started(8080);  // what it throws before this comes out of start()
      asyncio::sleep(1ms);   // serves
      std::cout << "served\n";
    });
    std::cout << "listening on " << port << '\n';

    // Keeps no group waiting: it is cancelled when all others have ended.
    group.spawn([] { asyncio::sleep_forever(); }, {.name = "heartbeat", .background = true});
  });
}

int main() {
  asyncio::run([] {
    all_goes_well();
    one_fails();
    as_an_object();
    started();
  });
}

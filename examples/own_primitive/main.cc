// Prices go to whoever subscribes.  One subscriber keeps up, another is slow and misses some.
#include <chrono>
#include <iostream>

#include <asyncio/asyncio.h>

#include "broadcast.h"

using namespace std::chrono_literals;

namespace {

using Prices = third_party::Broadcast<int>;

void follow(Prices& prices, const char* name, asyncio::Duration pace) {
  Prices::Subscription mine{prices};
  try {
    for (;;) {
      const int price = mine.receive();
      std::cout << name << ": " << price << '\n';
      asyncio::sleep(pace);
    }
  } catch (const asyncio::ClosedError&) {
    std::cout << name << ": the end, " << mine.missed() << " missed\n";
  }
}

}  // namespace

int main() {
  asyncio::run([] {
    asyncio::TaskGroup::run([](asyncio::TaskGroup& group) {
      Prices prices{2};
      group.spawn([&] { follow(prices, "quick", 0s); });
      group.spawn([&] { follow(prices, "slow", 50ms); });
      asyncio::sleep(1ms);  // both have subscribed
      for (int price = 1; price <= 5; ++price) {
        prices.send(price);
        asyncio::sleep(1ms);
      }
      asyncio::sleep(200ms);  // the slow one catches up
    });
  });
}

// Channel: a queue that closes itself when one side is gone.
// Prints the lines that two producers sent, and what the last sender's end means for the consumer.
#include <chrono>
#include <iostream>
#include <string>
#include <utility>

#include <asyncio/asyncio.h>
#include <asyncio/core/test_clock.h>

using namespace std::chrono_literals;

void produce(asyncio::Sender<std::string> lines, const std::string& name, asyncio::Duration pause) {
  for (int i = 1; i <= 2; ++i) {
    asyncio::sleep(pause);
    lines.send(name + " " + std::to_string(i));  // waits while the channel is full
  }
}  // the last copy of the sender to go closes the channel

void through_a_channel() {
  auto [sender, receiver] = asyncio::make_channel<std::string>(10);
  asyncio::create_task([lines = sender] { produce(lines, "slow", 3s); });
  asyncio::create_task([lines = std::move(sender)] { produce(lines, "quick", 2s); });
  for (auto& line : receiver) std::cout << line << '\n';  // until every sender is gone
  std::cout << "no sender is left\n";
}

void nobody_listens() {
  auto [sender, receiver] = asyncio::make_channel<int>(0);
  receiver.close();
  try {
    sender.send(1);
  } catch (const asyncio::ClosedError&) {
    std::cout << "no receiver is left\n";
  }
}

int main() {
  asyncio::TestClock clock;
  asyncio::RunOptions options;
  options.clock = &clock;
  asyncio::run(
      [] {
        through_a_channel();
        nobody_listens();
      },
      options);
}

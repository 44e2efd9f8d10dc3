// The first of several answers: take it and drop the rest, or take all as they come.
// Prints the fastest, what became of the others, the order in which they would have come, which of
// several things was first, and the first mirror that works.
#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/core/test_clock.h>

using namespace std::chrono_literals;

std::string ask(const std::string& server, asyncio::Duration takes) {
  asyncio::sleep(takes);
  return server;
}

std::vector<asyncio::Task<std::string>> ask_all() {
  return {asyncio::create_task([] { return ask("slow", 3s); }, "slow"),
          asyncio::create_task([] { return ask("fast", 1s); }, "fast"),
          asyncio::create_task([] { return ask("middling", 2s); }, "middling")};
}

void first_of_several() {
  // wait() cancels nothing.  A task that is not wanted any more ends with its scope.
  std::vector<asyncio::Task<std::string>> dropped;
  asyncio::CancellationScope::run([&] {
    auto [done, pending] = asyncio::wait(ask_all(), asyncio::ReturnWhen::first_completed);
    std::cout << "first: " << asyncio::await(done.front()) << '\n';
    dropped = pending;
  });
  for (const auto& task : dropped) {
    std::cout << task.name() << ": " << asyncio::to_string(task.state()) << '\n';
  }

  std::cout << "as they come:";
  for (auto& task : asyncio::as_completed(ask_all())) {
    std::cout << ' ' << asyncio::await(task);
  }
  std::cout << '\n';
}

void which_of_several() {
  const auto answer = asyncio::create_task([] { return ask("answer", 2s); });
  const auto stop = asyncio::create_future<void>();
  asyncio::call_later(1s, [stop] { stop.set_result(); });
  // Tasks and futures of any types; the result is a place in the call.
  switch (asyncio::wait_any(answer, stop)) {
    case 0:
      std::cout << "answered: " << answer.result() << '\n';
      break;
    case 1:
      std::cout << "told to stop\n";
      break;
  }
}

void first_that_works() {
  // The first result counts.  Failures on the way are dropped, and the rest are cancelled.
  const auto mirror = asyncio::first_success(
      asyncio::create_task([]() -> std::string { throw std::runtime_error("refused"); }),
      asyncio::create_task([] { return ask("mirror 2", 2s); }),
      asyncio::create_task([] { return ask("mirror 3", 1s); }));
  std::cout << "works: " << mirror << '\n';
}

int main() {
  // Virtual time, so that the order is certain however busy the machine is.
  asyncio::TestClock clock;
  asyncio::RunOptions options;
  options.clock = &clock;
  asyncio::run(
      [] {
        first_of_several();
        which_of_several();
        first_that_works();
      },
      options);
}

// Tasks: their states, their results, and handles that may be copied, kept or dropped.
// Prints the life of one task, then what becomes of results and of a task without a handle.
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include <asyncio/asyncio.h>

using namespace std::chrono_literals;

int main() {
  asyncio::run([] {
    // The body never runs inside create_task(): it begins once this task waits for something.
    const auto task = asyncio::create_task(
        [] {
          asyncio::sleep(1ms);
          return 42;
        },
        "answer");
    std::cout << task.name() << ": " << asyncio::to_string(task.state()) << '\n';
    asyncio::yield();
    std::cout << task.name() << ": " << asyncio::to_string(task.state()) << ", waits for a "
              << task.wait_reason() << '\n';

    // Any number of tasks may await it.  Each gets a copy of the result, or the exception.
    const auto twice = asyncio::create_task([task] { return 2 * asyncio::await(task); });
    const auto [one, two] = asyncio::gather(task, twice);
    std::cout << "results: " << one << ", " << two << '\n';
    std::cout << task.name() << ": " << asyncio::to_string(task.state()) << '\n';

    // From an rvalue the result is moved out, so it need not be copyable.
    auto maker = asyncio::create_task([] { return std::make_unique<std::string>("moved out"); });
    const std::unique_ptr<std::string> owned = asyncio::await(std::move(maker));
    std::cout << *owned << '\n';

    // A handle names a task and does not own it: dropping it stops nothing.
    bool has_run = false;
    asyncio::create_task([&has_run] { has_run = true; });
    asyncio::yield();
    std::cout << "without a handle: " << (has_run ? "it ran" : "it was lost") << '\n';

    // A callback runs on the loop, once the task has ended: here, in the next turn.
    task.add_done_callback(
        [](const asyncio::Task<int>& done) { std::cout << "callback: " << done.result() << '\n'; });
    asyncio::yield();
  });
}

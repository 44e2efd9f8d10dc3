// Failures: where an exception thrown in a task is thrown again, alone or among others.
// Prints one line for each way, and a report of several failures at once.
#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>

#include <asyncio/asyncio.h>

using namespace std::chrono_literals;

std::string fetch(const std::string& page) {
  asyncio::sleep(1ms);
  if (page != "index") throw std::runtime_error(page + " not found");
  return page;
}

void one_task() {
  const auto task = asyncio::create_task([] { return fetch("about"); });
  try {
    asyncio::await(task);
  } catch (const std::runtime_error& error) {  // the same exception, in the task that awaits
    std::cout << "await: " << error.what() << '\n';
  }
}

void several_tasks() {
  const auto index = asyncio::create_task([] { return fetch("index"); }, "index");
  const auto about = asyncio::create_task([] { return fetch("about"); }, "about");
  const auto help = asyncio::create_task([] { return fetch("help"); }, "help");
  try {
    asyncio::gather<asyncio::GatherStrategy::wait_all>(index, about, help);
  } catch (const asyncio::GatherException& error) {
    std::cout << "gather: " << error.failed_count() << " of " << error.task_names().size()
              << " failed\n";
    for (const auto& [place, exception] : error.exceptions()) {
      std::cout << "  " << error.task_names()[place] << ": " << asyncio::describe(exception)
                << '\n';
    }
  }

  // The same tasks once more, but now a task that failed is just left out.
  const auto [a, b, c] =
      asyncio::gather<asyncio::GatherStrategy::return_partial>(index, about, help);
  std::cout << "partial: " << a.value_or("-") << ' ' << b.value_or("-") << ' ' << c.value_or("-")
            << '\n';
}

void nobody_awaits() {
  asyncio::create_task([] { throw std::logic_error("a bug"); }, "forgotten");
  asyncio::sleep(1ms);
}

int main() {
  try {
    asyncio::run([] {
      asyncio::get_event_loop().set_exception_handler([](const asyncio::ExceptionContext& context) {
        std::cout << "handler: " << asyncio::describe(context.exception) << '\n';
      });
      one_task();
      several_tasks();
      nobody_awaits();
      throw std::runtime_error("main has failed");
    });
  } catch (const std::runtime_error& error) {
    std::cout << "run: " << error.what() << '\n';
  }
}

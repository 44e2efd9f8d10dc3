// Priorities: which of the tasks that are ready run first.
// Prints that a later task of a higher class overtakes, and that the lower class is not starved.
#include <iostream>
#include <string>

#include <asyncio/asyncio.h>

using asyncio::TaskPriority;

int main() {
  asyncio::run([] {
    const auto announce = [](const char* what) { return [what] { std::cout << what << '\n'; }; };

    // All three are ready in the next turn of the loop, which takes the classes in order.
    const auto work = asyncio::create_task(announce("work: the requests"));
    const auto control = asyncio::create_task(announce("control: the supervisor"),
                                              {.priority = TaskPriority::control});
    const auto system = asyncio::create_task(announce("system: the health check"),
                                             {.priority = TaskPriority::system});
    asyncio::gather(work, control, system);

    // A class goes first within a turn; it does not get turns of its own.  So a busy task of the
    // highest class leaves room for the rest.
    bool stop = false;
    const auto busy = asyncio::create_task(
        [&stop] {
          while (!stop) asyncio::yield();
        },
        {.name = "busy", .priority = TaskPriority::system});
    asyncio::await(asyncio::create_task([&stop] { stop = true; }));
    asyncio::await(busy);
    std::cout << "the busy task was stopped by one of class work\n";
  });
}

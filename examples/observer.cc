// An Observer: told of what happens to every task, without touching the tasks.
// Prints the life of three tasks, and what a ready-made observer has counted.
#include <iostream>
#include <memory>
#include <stdexcept>

#include <asyncio/asyncio.h>

using asyncio::TaskEvent;

// Runs on the loop's thread, at the moment of the event: it must be quick and cannot wait.
class Reporter : public asyncio::Observer {
 public:
  void on_task_event(const TaskEvent& event) override {
    std::cout << event.task.name() << ' ' << asyncio::to_string(event.task.state());
    if (event.exception) std::cout << ": " << asyncio::describe(event.exception);
    std::cout << '\n';
  }
};

int main() {
  asyncio::run([] {
    auto& observable = asyncio::Observable::instance();
    const auto reporter = std::make_shared<Reporter>();
    const auto counter = std::make_shared<asyncio::CountingObserver>();
    observable.add_observer(reporter);
    observable.add_observer(counter);

    const auto good = asyncio::create_task([] { asyncio::yield(); }, "good");
    asyncio::await(good);
    const auto bad = asyncio::create_task([] { throw std::runtime_error("no luck"); }, "bad");
    try {
      asyncio::await(bad);
    } catch (const std::runtime_error&) {
      std::cout << "main knows\n";  // after the observer
    }
    asyncio::create_task([] {}, "unwanted").cancel();  // before it has begun
    asyncio::yield();

    observable.clear_observers();  // from here on, it costs nothing again
    std::cout << counter->count(TaskEvent::Type::created) << " created, "
              << counter->count(TaskEvent::Type::started) << " started, "
              << counter->count(TaskEvent::Type::failed) << " failed, "
              << counter->count(TaskEvent::Type::cancelled) << " cancelled\n";
  });
}

// Work that is ended early: by a time limit, or by cancel().
// Prints who gave up on what; each "closed" comes before it, since what is cancelled is waited for.
#include <chrono>
#include <iostream>
#include <string>

#include <asyncio/asyncio.h>

using namespace std::chrono_literals;

class Connection {
 public:
  ~Connection() { std::cout << "  closed\n"; }
  std::string read() {
    asyncio::sleep(1h);  // the peer has nothing to say
    return "data";
  }
};

// Nothing in here knows about cancellation: it unwinds like an exception, and destructors run.
std::string talk() {
  Connection connection;
  return connection.read();
}

int main() {
  asyncio::run([] {
    // A task, or a callable that becomes one, with a time limit.
    try {
      asyncio::wait_for(talk, 20ms);
    } catch (const asyncio::TimeoutException&) {
      std::cout << "wait_for gave up\n";
    }

    // A region of this task with a time limit: all of its calls together have 20 ms.
    try {
      asyncio::timeout(20ms, [] { std::cout << talk() << talk() << '\n'; });
    } catch (const asyncio::TimeoutException&) {
      std::cout << "timeout gave up\n";
    }

    // A task that somebody cancels.  The task that awaits it is told, and is not cancelled itself.
    const auto task = asyncio::create_task([] {
      try {
        talk();
      } catch (const asyncio::Cancelled& cancelled) {
        std::cout << "  inside: Cancelled, " << cancelled.text() << '\n';
        throw;  // let it through: if kept, the next call would throw it again
      }
    });
    asyncio::yield();  // the task begins; cancelled before that, it would never run
    task.cancel("nobody is interested");
    try {
      asyncio::await(task);
    } catch (const asyncio::TaskCancelledException& cancelled) {
      std::cout << "await: " << asyncio::to_string(task.state()) << ", " << cancelled.text()
                << '\n';
    }
  });
}

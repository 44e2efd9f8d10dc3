// A pool of connections: three tasks share two, one of them is cut off in the middle, and the
// server is away for a while.
#include <chrono>
#include <iostream>
#include <memory>
#include <stdexcept>

#include <asyncio/asyncio.h>

using namespace std::chrono_literals;

// Stands for a connection to a database.
class Connection {
 public:
  explicit Connection(int number) : number_(number) {}
  int number() const { return number_; }

  int ask(int question) {
    asyncio::sleep(10ms);  // the answer takes a while
    return question * question;
  }

 private:
  int number_;
};

int dials = 0;
bool server_is_up = true;

std::unique_ptr<Connection> dial() {
  asyncio::sleep(5ms);
  if (!server_is_up) throw std::runtime_error("nobody answers");
  return std::make_unique<Connection>(++dials);
}

int main() {
  asyncio::run([] {
    asyncio::Pool<Connection> pool{{.dial = &dial}, {.max_size = 2, .name = "database"}};

    asyncio::TaskGroup group;
    for (int i = 1; i <= 3; ++i) {
      group.spawn([&pool, i] {
        const int answer = pool.with([&](Connection& connection) { return connection.ask(i); });
        std::cout << i << " squared is " << answer << '\n';
      });
    }
    group.wait_all();
    std::cout << "connections made: " << pool.stats().dials << '\n';

    // A caller that is cut off in the middle of an exchange leaves no answer to the next one.
    try {
      asyncio::timeout(1ms, [&] { pool.with([](Connection& it) { return it.ask(4); }); });
    } catch (const asyncio::TimeoutException&) {
      std::cout << "given up, connections left: " << pool.stats().size << '\n';
    }

    pool.acquire().discard();
    server_is_up = false;
    try {
      pool.acquire()->ask(5);
    } catch (const std::exception& error) {
      std::cout << "no connection: " << error.what() << '\n';
    }
    server_is_up = true;
    std::cout << "back again: " << pool.acquire()->ask(6) << '\n';
    pool.close();
  });
}

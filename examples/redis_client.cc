// Redis by calls that look as if they blocked: examples/redis.h wraps hiredis.
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/examples/redis.h>

namespace {

using namespace std::chrono_literals;

std::string address() {
  const char* given = std::getenv("REDIS_ADDRESS");
  return given != nullptr ? given : "127.0.0.1:6379";
}

void count_visits(RedisClient& redis) {
  redis.command("DEL visits");
  auto reply = redis.command("INCR visits");
  std::cout << "visit " << reply.integer() << '\n';

  // Any number of tasks share the connection; their commands travel together.
  std::vector<asyncio::Task<long long>> visitors;
  for (int i = 0; i < 99; ++i) {
    visitors.push_back(
        asyncio::create_task([&] { return redis.command("INCR visits").integer(); }));
  }
  std::cout << "visit " << asyncio::gather(visitors).back() << '\n';
}

void keep_a_text(RedisClient& redis) {
  redis.command("SET greeting", "hello, \"world\"");  // one argument, whatever it contains
  std::cout << redis.command("GET greeting").text() << '\n';
  try {
    redis.command("INCR greeting");
  } catch (const RedisError& error) {
    std::cout << error.what() << '\n';
  }
}

void wait_in_vain() {
  RedisClient redis{address()};
  try {
    asyncio::timeout(20ms, [&] { redis.command("BLPOP jobs 0"); });
  } catch (const asyncio::TimeoutException&) {
    std::cout << "no job within 20 ms\n";
  }
}

}  // namespace

int main() {
  std::signal(SIGPIPE, SIG_IGN);  // a lost connection is an exception, not the end
  asyncio::run([] {
    RedisClient redis{address()};
    count_visits(redis);
    keep_a_text(redis);
    wait_in_vain();
    redis.command("DEL visits greeting");
  });
}

// The smallest program that waits, in a coroutine on Asio.
#include <chrono>

#include <asio.hpp>

int main() {
  asio::io_context context(1);
  asio::co_spawn(
      context,
      []() -> asio::awaitable<void> {
        asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds(1));
        co_await timer.async_wait(asio::use_awaitable);
      },
      asio::detached);
  context.run();
}

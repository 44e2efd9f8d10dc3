// A program that runs libev, and the same program with tasks in it.
#include <chrono>
#include <iostream>
#include <string>

#include <asyncio/asyncio.h>
#include <asyncio/backends/libev.h>

namespace {

using namespace std::chrono_literals;

void on_tick(struct ev_loop* loop, ev_timer* timer, int /*events*/) {
  static int ticks = 0;
  std::cout << "the program's own timer\n";
  if (++ticks < 2) return;
  ev_timer_stop(loop, timer);
  static_cast<asyncio::Event*>(timer->data)->set();
}

}  // namespace

int main() {
  struct ev_loop* host = ev_default_loop(0);
  ev_timer ticker;
  asyncio::Event ticked_twice;
  ev_timer_init(&ticker, on_tick, 0.01, 0.01);
  ticker.data = &ticked_twice;
  ev_timer_start(host, &ticker);

  asyncio::EventLoop loop{asyncio::attach(host)};
  loop.create_task([&] {
    auto slow = asyncio::create_task([&] {
      ticked_twice.wait();  // the program's own timer sets it
      asyncio::sleep(10ms);
      return std::string{"a task, written as if it could block"};
    });
    std::cout << asyncio::await(slow) << '\n';
  });

  ev_run(host, 0);  // as before; it returns when neither side has anything left to do
  loop.shutdown();
  ev_loop_destroy(host);
}

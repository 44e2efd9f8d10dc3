// A plugin that uses the library.
#include <asyncio/asyncio.h>

// Uses much of what stays with the process or with a thread: returns 42.  A signal belongs to one
// loop at a time, so each caller has its own.
extern "C" int run_plugin(int signo) {
  return asyncio::run([signo] {
    asyncio::EventLoop& loop = asyncio::get_event_loop();
    const auto id = loop.add_signal_handler(signo, [](int) {});
    asyncio::set_context("key", 1);
    const int result =
        asyncio::to_thread([] { return 40; }) + asyncio::await(asyncio::create_task([] {
          asyncio::sleep(0.001);
          return 2;
        }));
    loop.remove_signal_handler(id);
    return result;
  });
}

// A program that runs Boost.Asio, with tasks in it.
#include <chrono>
#include <functional>
#include <iostream>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <asyncio/asyncio.h>

namespace {

using namespace std::chrono_literals;
using boost::asio::posix::stream_descriptor;

}  // namespace

int main() {
  boost::asio::io_context host;
  boost::asio::steady_timer timer{host, 20ms};  // the program's own

  asyncio::EventLoop loop{asyncio::attach_by_descriptor()};
  loop.create_task([&] {
    auto rung = asyncio::create_future<void>();
    timer.async_wait([rung](const boost::system::error_code&) {
      std::cout << "the program's timer\n";
      rung.set_result();
    });
    std::cout << "a task waits for it\n";
    asyncio::await(rung);
    asyncio::sleep(10ms);
    std::cout << "and ends\n";
  });

  stream_descriptor watched{host, loop.native_handle().fd};
  const std::function<void()> watch = [&] {
    watched.async_wait(stream_descriptor::wait_read, [&](const boost::system::error_code& error) {
      if (error) return;
      loop.process();
      if (loop.native_handle().alive) watch();
    });
  };
  watch();
  host.run();
  watched.release();  // Asio would close it, and it is the loop's
  loop.shutdown();
}

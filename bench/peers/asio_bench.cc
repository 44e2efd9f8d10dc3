// Asio in the subjects it has an answer for, with C++20 coroutines.
//
// As its manual advises: an io_context that is told of its one thread, use_awaitable as the default
// token, its own channels and timers.
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <asio.hpp>
#include <asio/experimental/channel.hpp>

#include "../echo/servers.h"
#include "../support/lateness.h"
#include "../support/parked.h"
#include "../support/percentiles.h"
#include "../support/pipe_ring.h"
#include "../support/posters.h"
#include "../support/rows.h"
#include "../support/skynet.h"
#include "../support/sleep_rounds.h"
#include "../support/timers.h"

namespace bench {
namespace {

constexpr const char* kName = "asio";
constexpr int kOneThread = 1;

template <class T = void>
using Coroutine = asio::awaitable<T>;
using asio::use_awaitable;

/// Runs a coroutine, and what it has spawned, to the end.
template <class Main>
void run(Main main) {
  asio::io_context context(kOneThread);
  asio::co_spawn(context, main, asio::detached);
  context.run();
}

Coroutine<> give_way() { co_await asio::post(co_await asio::this_coro::executor, use_awaitable); }

Coroutine<> yield_until(bool& over) {
  while (!over) co_await give_way();
}

Coroutine<> time_yields(State& state, std::int64_t tasks) {
  bool over = false;
  const auto executor = co_await asio::this_coro::executor;
  for (std::int64_t i = 1; i < tasks; ++i) {
    asio::co_spawn(executor, yield_until(over), asio::detached);
  }
  while (state.KeepRunningBatch(tasks)) co_await give_way();
  over = true;
  co_await give_way();  // the others see it, and end
}

const Subject yield("core.yield", [](Rows& rows) {
  for (const std::int64_t tasks : rows.sizes({2, 10'000}, {100, 1'000})) {
    rows.add(kName, {{"tasks", tasks}},
             [=](State& state) { run([&] { return time_yields(state, tasks); }); });
  }
});

Coroutine<int> return_one() { co_return 1; }

Coroutine<> time_spawns(State& state) {
  const auto executor = co_await asio::this_coro::executor;
  for (auto _ : state) {
    benchmark::DoNotOptimize(co_await asio::co_spawn(executor, return_one(), use_awaitable));
  }
}

const Subject spawn("core.spawn_await", [](Rows& rows) {
  rows.add(kName, {{"stacks", "pooled"}},
           [](State& state) { run([&] { return time_spawns(state); }); });
});

using Channel = asio::experimental::channel<void(asio::error_code, int)>;

Coroutine<> put_for_ever(Channel& channel) {
  try {
    for (int item = 0;; ++item) {
      co_await channel.async_send(asio::error_code(), item, use_awaitable);
    }
  } catch (const asio::system_error&) {  // closed
  }
}

Coroutine<> time_hops(State& state, std::size_t capacity) {
  const auto executor = co_await asio::this_coro::executor;
  Channel channel(executor, capacity);
  asio::co_spawn(executor, put_for_ever(channel), asio::detached);
  for (auto _ : state) benchmark::DoNotOptimize(co_await channel.async_receive(use_awaitable));
  channel.close();
  co_await give_way();  // the other one sees it, and ends
  co_await give_way();
}

const Subject queue_hop("concurrency.queue_hop", [](Rows& rows) {
  for (const std::size_t capacity : {0, 1, 128}) {
    rows.add(kName, {{"capacity", capacity}},
             [=](State& state) { run([&] { return time_hops(state, capacity); }); });
  }
});

Coroutine<> sleep_for(Clock::duration duration) {
  asio::steady_timer timer(co_await asio::this_coro::executor, duration);
  co_await timer.async_wait(use_awaitable);
}

const Subject sleep_many("core.sleep_many", [](Rows& rows) {
  for (const std::int64_t tasks : rows.sizes({1'000, 100'000}, {10'000, 1'000'000})) {
    add_sleep_rounds(rows, kName, tasks, [=](State& state) {
      asio::io_context context(kOneThread);
      time_sleep_rounds(state, [&] {
        for (std::int64_t i = 0; i < tasks; ++i) {
          asio::co_spawn(context, sleep_for(kLongSleep), asio::detached);
        }
        context.run();
        context.restart();
      });
    });
  }
});

const Subject lateness("core.sleep_lateness", [](Rows& rows) {
  add_lateness(rows, kName, [](State& state) {
    asio::io_context context(kOneThread);
    time_sleeps(state, [&] {
      asio::co_spawn(context, sleep_for(kShortSleep), asio::detached);
      context.run();
      context.restart();
    });
  });
});

class AsioTimers {
 public:
  explicit AsioTimers(const TimersShape& shape) {
    for (std::size_t i = 0; i < shape.pending; ++i) timers_.emplace_back(context_);
  }
  void arm(std::size_t index, double seconds) {
    timers_[index].expires_after(
        std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9)));
    timers_[index].async_wait([](const asio::error_code&) {});
  }
  void move(std::size_t index, double seconds) {
    arm(index, seconds);  // a new expiry cancels the wait there is
    run_cancelled();
  }
  void cancel(std::size_t index) {
    timers_[index].cancel();
    run_cancelled();
  }
  void fire_all() {
    context_.run();
    context_.restart();
  }

 private:
  /// The handler of a cancelled wait runs, too.  Some at a time, as in a loop that has other work.
  void run_cancelled() {
    if (++cancelled_ % 64 == 0) context_.poll();
  }
  asio::io_context context_{kOneThread};
  std::vector<asio::steady_timer> timers_;
  std::uint64_t cancelled_ = 0;
};

const Subject timers("core.timers", [](Rows& rows) {
  for (const TimersShape& shape : timers_shapes(rows)) {
    add_timers<AsioTimers>(rows, kName, shape);
  }
});

const Subject post("core.post", [](Rows& rows) {
  for (const std::int64_t producers : rows.sizes({1, 2, 4}, {3})) {
    rows.add_self_timed(kName, {{"producers", producers}}, [=](State& state) {
      asio::io_context context(kOneThread);
      const auto stay = asio::make_work_guard(context);
      time_posts(state, producers, [&](std::int64_t posts) {
        std::int64_t left = posts;
        Posters posters(producers, [&] {
          asio::post(context, [&] {
            if (--left == 0) context.stop();
          });
        });
        posters.start();
        context.run();
        context.restart();
        return posters.seconds_since_start();
      });
    });
  }
});

Coroutine<> read_pipe(PipeRing& ring, std::size_t index, asio::io_context& context) {
  asio::posix::stream_descriptor reader(context, ring.reader(index));
  try {
    for (;;) {
      co_await reader.async_wait(asio::posix::stream_descriptor::wait_read, use_awaitable);
      if (ring.pass_on(index)) context.stop();
    }
  } catch (const asio::system_error&) {  // the context goes
  }
  reader.release();
}

void time_pipes(State& state, const PipesShape& shape) {
  PipeRing ring(shape);
  asio::io_context context(kOneThread);
  for (std::size_t i = 0; i < ring.size(); ++i) {
    asio::co_spawn(context, read_pipe(ring, i, context), asio::detached);
  }
  context.poll();  // now all of them wait
  while (state.KeepRunningBatch(shape.writes)) {
    ring.begin_round();
    context.run();
    context.restart();
  }
}

const Subject pipes("core.pipes", [](Rows& rows) {
  for (const PipesShape& shape : pipes_shapes(rows, std::numeric_limits<int>::max(), false)) {
    rows.add(kName, to_params(shape), [=](State& state) { time_pipes(state, shape); });
  }
});

Coroutine<std::int64_t> skynet(std::int64_t first, std::int64_t leaves) {
  if (leaves == 1) co_return first;
  const auto executor = co_await asio::this_coro::executor;
  std::int64_t sum = 0;
  std::size_t left = 10;
  asio::steady_timer all_came(executor, asio::steady_timer::time_point::max());
  for (std::int64_t i = 0; i < 10; ++i) {
    asio::co_spawn(executor, skynet(first + i * leaves / 10, leaves / 10),
                   [&](const std::exception_ptr&, std::int64_t part) {
                     sum += part;
                     if (--left == 0) all_came.cancel();
                   });
  }
  asio::error_code cancelled;
  if (left > 0) co_await all_came.async_wait(asio::redirect_error(use_awaitable, cancelled));
  co_return sum;
}

/// As time_skynet(), which cannot wait for a coroutine.
Coroutine<> time_skynet_here(State& state, std::int64_t leaves) {
  while (state.KeepRunningBatch(leaves)) {
    check_skynet(state, co_await skynet(0, leaves), leaves);
  }
}

const Subject skynet_subject("core.skynet", [](Rows& rows) {
  for (const std::int64_t leaves : rows.sizes({1'000, 100'000}, {1'000'000})) {
    rows.add(kName, {{"leaves", leaves}},
             [=](State& state) { run([&] { return time_skynet_here(state, leaves); }); });
  }
});

Coroutine<> wait_for(asio::steady_timer& never) { co_await never.async_wait(use_awaitable); }

void park(std::int64_t tasks, ParkedProbe& probe) {
  asio::io_context context(kOneThread);
  asio::steady_timer never(context, asio::steady_timer::time_point::max());
  asio::co_spawn(context, wait_for(never), asio::detached);
  context.poll();
  probe.begin();
  for (std::int64_t i = 0; i < tasks; ++i) {
    asio::co_spawn(context, wait_for(never), asio::detached);
  }
  context.poll();  // now all of them are parked
  probe.end();
}

const Subject parked("core.parked_memory",
                     [](Rows& rows) { add_parked(rows, kName, park, 1'000'000); });

using asio::ip::tcp;

Coroutine<> echo(tcp::socket socket) {
  std::array<char, 16 * 1024> buffer;  // a frame of its own: others run between read and write
  asio::error_code error;
  for (;;) {
    const std::size_t got = co_await socket.async_read_some(
        asio::buffer(buffer), asio::redirect_error(use_awaitable, error));
    if (error) co_return;
    co_await asio::async_write(socket, asio::buffer(buffer, got),
                               asio::redirect_error(use_awaitable, error));
    if (error) co_return;
  }
}

Coroutine<> accept_all(tcp::acceptor& acceptor) {
  for (;;) {
    asio::co_spawn(acceptor.get_executor(), echo(co_await acceptor.async_accept(use_awaitable)),
                   asio::detached);
  }
}

const EchoServers echo_server([](std::vector<EchoServer>& servers) {
  servers.push_back({
      .contender = kName,
      .serve =
          [](int listener) {
            asio::io_context context(kOneThread);
            tcp::acceptor acceptor(context, tcp::v4(), listener);
            asio::co_spawn(context, accept_all(acceptor), asio::detached);
            context.run();
          },
      .descriptor_limit = std::numeric_limits<int>::max(),
  });
});

}  // namespace
}  // namespace bench

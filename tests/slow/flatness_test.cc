// Create, cancel, join, over and over: whatever a task waited for, nothing of it stays.
#include <algorithm>
#include <coroutine>
#include <csignal>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/scale.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class FlatnessTest : public LoopTest {};

TEST_F(FlatnessTest, C55_AMillionRoundsOfCreateCancelAndJoinLeaveNothing) {
  const std::size_t rounds = scaled(1'000'000);
  run([&] {
    SocketPair pair;
    Event event;
    Mutex mutex;
    RwLock lock;
    Condition condition{mutex};
    Semaphore semaphore{1};
    Queue<int> empty;
    Queue<int> full{0};
    Barrier barrier{2};
    const Future<int> future;
    mutex.lock();
    lock.lock();
    semaphore.acquire();
    const auto forever = create_task([] { sleep(24h); });

    const std::vector<std::function<void()>> waits{
        [] { sleep(1h); },
        [&] { wait_readable(pair.a()); },
        [&] { wait_readable(pair.a(), 1h); },
        [&] { event.wait(); },
        [&] { mutex.lock(); },
        [&] { lock.lock_shared(); },
        [&] { semaphore.acquire(); },
        [&] { empty.get(); },
        [&] { full.put(1); },
        [&] {
          barrier.reset();
          barrier.wait();
        },
        [&] { wait_for(create_task([] { sleep(1h); }), 2h); },
        [&] { await(future); },
        [&] { await(forever); },
        [&] { wait_for([&] { await(future); }, 1h); },
        [&] { gather(create_task([] { sleep(1h); }), create_task([&] { event.wait(); })); },
        [&] { wait(std::vector{forever}); },
        [&] {
          for (const auto& task : as_completed(std::vector{forever})) await(task);
        },
        [&] { TaskGroup::run([](TaskGroup& group) { group.spawn([] { sleep(1h); }); }); },
        [&] { CancellationScope::run([] { sleep(1h); }, {.timeout = 2h}); },
        [&] { shield_for(1s, [] { yield(); }), sleep(1h); },
        [&] {
          set_context("key", std::string("value"));
          CancellationScope::run([] {
            create_task([] { sleep(1h); });
            sleep(1h);
          });
        },
    };
    const auto round = [&](std::size_t i) {
      const auto task = create_task([&] { waits[i % waits.size()](); });
      if (i % 7 != 0) yield();  // every seventh is cancelled before it begins
      yield();
      task.cancel("enough");
      EXPECT_THROW(await(task), TaskCancelledException);
    };
    for (std::size_t i = 0; i < rounds / 10; ++i) round(i);
    const LoopStatistics before = loop().statistics();
    const std::size_t memory = resident_bytes();
    for (std::size_t i = 0; i < rounds; ++i) round(i);
    const LoopStatistics after = loop().statistics();
    const std::size_t grown = resident_bytes() - std::min(memory, resident_bytes());
    std::printf("%zu rounds: %zu bytes more\n", rounds, grown);
    EXPECT_LT(grown, std::size_t{1} << 20);
    EXPECT_EQ(before.timers, after.timers);
    EXPECT_EQ(before.fd_waiters, after.fd_waiters);
    EXPECT_EQ(before.stacks, after.stacks);
    EXPECT_EQ(before.tasks_alive, after.tasks_alive);
    EXPECT_EQ(0u, event.waiting_count() + mutex.waiting_count() + lock.waiting_count() +
                      condition.waiting_count() + semaphore.waiting_count() +
                      empty.stats().waiting_getters + full.stats().waiting_putters);
    mutex.unlock();
    lock.unlock();
    semaphore.release();
    forever.cancel();
  });
}

/// Runs at once, and is destroyed with its handle.
class Routine {
 public:
  struct promise_type {
    Routine get_return_object() {
      return Routine{std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() noexcept {}
    void unhandled_exception() { throw; }
  };
  explicit Routine(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}
  Routine(Routine&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  Routine& operator=(Routine&&) = delete;
  ~Routine() {
    if (coroutine_) coroutine_.destroy();
  }

 private:
  std::coroutine_handle<promise_type> coroutine_;
};

class ClosedByHand : public AsyncResource {
 public:
  void close() override { closed_ = true; }
  bool is_closed() const noexcept override { return closed_; }

 private:
  bool closed_ = false;
  [[maybe_unused]] char bulk_[500] = {};
};

TEST_F(FlatnessTest, C55_OnWhatLivesLongNothingOfTheShortLivedPilesUp) {
  const std::size_t rounds = scaled(50'000);
  run([&] {
    const auto endless = create_task([] { sleep(24h); });
    const Future<int> never;
    TaskGroup group;
    struct Case {
      const char* what;
      std::function<void()> round;
    };
    const std::vector<Case> cases{
        {"wait() for the first",
         [&] {
           wait(std::vector{endless, create_task([] {})}, ReturnWhen::first_completed);
         }},
        {"the first of as_completed()",
         [&] {
           for (const auto& task : as_completed(std::vector{endless, create_task([] {})})) {
             await(task);
             break;
           }
         }},
        {"a done callback of a task",
         [&] { endless.remove_done_callback(endless.add_done_callback([] {})); }},
        {"a done callback of a future",
         [&] { never.remove_done_callback(never.add_done_callback([] {})); }},
        {"a coroutine that awaits a task",
         [&] {
           const auto wait_for_it = [](Task<void> task) -> Routine { co_await task; };
           static_cast<void>(wait_for_it(endless));
         }},
        {"a coroutine that awaits a future",
         [&] {
           const auto wait_for_it = [](Future<int> future) -> Routine { co_await future; };
           static_cast<void>(wait_for_it(never));
         }},
        {"a resource closed by hand",
         [] {
           const auto resource = std::make_shared<ClosedByHand>();
           AsyncResourceManager::add(resource);
           resource->close();
         }},
        {"a resource removed",
         [] {
           const auto resource = std::make_shared<ClosedByHand>();
           AsyncResourceManager::add(resource);
           AsyncResourceManager::remove(resource);
         }},
        {"a child of a group", [&] { await(group.spawn([] {})); }},
        {"a timer", [] { get_event_loop().del_timer(call_later(24h, [] {})); }},
        {"a signal handler",
         [] {
           EventLoop& here = get_event_loop();
           here.remove_signal_handler(here.add_signal_handler(SIGUSR2, [](int) {}));
         }},
        {"a handle of the loop", [] { static_cast<void>(get_event_loop().handle()); }},
    };
    for (const auto& [what, round] : cases) {
      for (std::size_t i = 0; i < rounds / 10; ++i) round();
      yield();
      const std::size_t memory = resident_bytes();
      for (std::size_t i = 0; i < rounds; ++i) round();
      yield();
      const std::size_t grown = resident_bytes() - std::min(memory, resident_bytes());
      std::printf("%-32s %zu bytes more\n", what, grown);
      EXPECT_LT(grown, std::size_t{1} << 20) << what;
    }
    endless.cancel();
  });
}

}  // namespace
}  // namespace asyncio::test

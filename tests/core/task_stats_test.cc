// What a person can find out about tasks: times, figures, what they wait for, and the dump.
#include <string>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class TaskStatsTest : public LoopTest {};

TEST_F(TaskStatsTest, TimesTellCreationStartAndEnd) {
  run([&] {
    const TimePoint begin = clock.now();
    sleep(5s);
    auto task = create_task([] { sleep(3s); });
    EXPECT_EQ(begin + 5s, task.created_at());
    EXPECT_EQ(std::nullopt, task.started_at());
    EXPECT_EQ(std::nullopt, task.completed_at());
    EXPECT_EQ(Duration::zero(), task.duration());
    sleep(1s);
    EXPECT_EQ(begin + 5s, task.started_at());
    EXPECT_EQ(1s, task.duration()) << "so far";
    await(task);
    EXPECT_EQ(begin + 8s, task.completed_at());
    sleep(10s);
    EXPECT_EQ(3s, task.duration());
    EXPECT_EQ(Duration::zero(), task.wait_time());
  });
}

TEST_F(TaskStatsTest, WaitTimeIsFromCreationToStart) {
  run([&] {
    auto task = create_task([] {});
    clock.advance(2s);  // as if main computed
    EXPECT_EQ(2s, task.wait_time()) << "so far";
    await(task);
    clock.advance(5s);
    EXPECT_EQ(2s, task.wait_time());
  });
}

TEST_F(TaskStatsTest, CreationTimeIsNotThatOfAnEarlierTurn) {
  run([&] {
    clock.advance(30s);  // main has computed for long since the loop last looked at the clock
    auto task = create_task([] {});
    EXPECT_EQ(clock.now(), task.created_at());
    await(task);
    EXPECT_EQ(Duration::zero(), task.wait_time());
  });
}

TEST_F(TaskStatsTest, TaskCancelledBeforeItsStartHasNone) {
  run([&] {
    auto task = create_task([] {});
    task.cancel();
    settle();
    EXPECT_EQ(std::nullopt, task.started_at());
    EXPECT_TRUE(task.completed_at().has_value());
    EXPECT_EQ(Duration::zero(), task.duration());
  });
}

TEST_F(TaskStatsTest, StatsCountSuspensionsAndStack) {
  run([] {
    auto task = create_task([] {
      for (int i = 0; i < 5; ++i) yield();
      sleep(1s);
    });
    EXPECT_EQ(0u, task.stats().suspensions);
    EXPECT_GT(task.stats().stack_size, 0u);
    settle();
    const TaskStats parked = task.stats();
    EXPECT_EQ(6u, parked.suspensions);
    EXPECT_GT(parked.stack_used, 0u);
    EXPECT_LE(parked.stack_used, parked.stack_size);
    EXPECT_EQ(task.created_at(), parked.created_at);
    EXPECT_EQ(task.started_at(), parked.started_at);
    await(task);
    const TaskStats ended = task.stats();
    EXPECT_EQ(6u, ended.suspensions);
    EXPECT_EQ(0u, ended.stack_size);
    EXPECT_EQ(0u, ended.stack_used);
    EXPECT_TRUE(ended.completed_at.has_value());
  });
}

TEST_F(TaskStatsTest, WaitReasonSaysWhatATaskWaitsFor) {
  run([] {
    SocketPair sockets;
    sockets.fill(0);
    auto sleeper = create_task([] { sleep(1h); }, "sleeper");
    auto reader = create_task([&] { wait_readable(sockets.a()); });
    auto writer = create_task([&] { wait_writable(sockets.a()); });
    auto awaiter = create_task([&] { await(sleeper); });
    auto ready = create_task([] { yield(); });
    EXPECT_EQ("ready", ready.wait_reason());
    settle();
    EXPECT_EQ("running", current_task().wait_reason());
    EXPECT_EQ("timer", sleeper.wait_reason());
    EXPECT_EQ("fd " + std::to_string(sockets.a()) + " readable", reader.wait_reason());
    EXPECT_EQ("fd " + std::to_string(sockets.a()) + " writable", writer.wait_reason());
    EXPECT_EQ("task 'sleeper'", awaiter.wait_reason());
    EXPECT_EQ("done", ready.wait_reason());
    for (const AnyTask& task : {AnyTask{sleeper}, AnyTask{reader}, AnyTask{writer}}) task.cancel();
    settle();
    EXPECT_EQ("done", awaiter.wait_reason());
    EXPECT_NE(nullptr, awaiter.exception());
  });
}

TEST_F(TaskStatsTest, WaitReasonOfAThreadAndOfASignal) {
  run([] {
    std::atomic<bool> go{false};
    auto offloaded = create_task([&] {
      to_thread([&] {
        while (!go) std::this_thread::sleep_for(1ms);
      });
    });
    auto listener = create_task([] { wait_signal({SIGUSR2}); });
    settle();
    EXPECT_EQ("thread", offloaded.wait_reason());
    EXPECT_EQ("signal", listener.wait_reason());
    go = true;
    await(offloaded);
    listener.cancel();
  });
}

TEST_F(TaskStatsTest, TasksListsTheLivingOldestFirst) {
  run([&] {
    auto first = create_task([] { sleep(1s); });
    auto second = create_task([] { sleep(2s); });
    EXPECT_EQ((std::vector<AnyTask>{current_task(), first, second}), loop().tasks());
    await(first);
    EXPECT_EQ((std::vector<AnyTask>{current_task(), second}), loop().tasks());
  });
}

// Not inlined, so that a frame of its own shows where the task waits.
[[gnu::noinline]] void wait_for_godot() {
  sleep(1h);
  asm volatile("");  // no tail call
}

TEST_F(TaskStatsTest, DumpTellsNameStateReasonAndPlaceOfEveryTask) {
  run([&] {
    create_task([] { wait_for_godot(); }, "estragon");
    settle();
    create_task([] {}, "newcomer");
    const std::string dump = loop().dump();
    EXPECT_TRUE(contains(dump, "task 'main' (id ")) << dump;
    EXPECT_TRUE(contains(dump, "running) waits for: running")) << dump;
    EXPECT_TRUE(contains(dump, "task 'estragon'")) << dump;
    EXPECT_TRUE(contains(dump, "running) waits for: timer\n      at ")) << dump;
    EXPECT_TRUE(contains(dump, "task 'newcomer'")) << dump;
    EXPECT_TRUE(contains(dump, "pending) waits for: ready")) << dump;
    EXPECT_LT(dump.find("main"), dump.find("estragon"));
    EXPECT_LT(dump.find("estragon"), dump.find("newcomer"));
  });
}

TEST_F(TaskStatsTest, DumpDisturbsNobody) {
  run([&] {
    int woken = 0;
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 10; ++i) {
      tasks.push_back(create_task([&] {
        try {
          throw std::runtime_error("caught");
        } catch (const std::runtime_error&) {
          errno = 33;
          sleep(1s);
          EXPECT_EQ(33, errno);
          EXPECT_NE(nullptr, std::current_exception());
        }
        ++woken;
      }));
    }
    settle();
    const std::uint64_t suspensions = tasks[0].stats().suspensions;
    const std::string inside = loop().dump();
    EXPECT_EQ(suspensions, tasks[0].stats().suspensions);
    std::string from_callback;
    call_soon([&] { from_callback = loop().dump(); });
    settle();
    EXPECT_TRUE(contains(from_callback, "task 'main'"));
    // Exceptions still find their way on a stack that has called others.
    EXPECT_THROW(throw std::runtime_error("mine"), std::runtime_error);
    for (auto& task : tasks) await(task);
    EXPECT_EQ(10, woken);
  });
}

TEST_F(TaskStatsTest, DumpMayBeTakenOverAndOverWhileATaskIsParked) {
  run([&] {
    auto parked = create_task([] { sleep(1h); }, TaskOptions{.stack_size = 64 << 10});
    settle();
    const std::size_t before = parked.stats().stack_used;
    for (int i = 0; i < 2000; ++i) static_cast<void>(loop().dump());
    const std::size_t after = parked.stats().stack_used;
    EXPECT_LE(after, before + (32u << 10)) << "each dump must leave the parked stack as it was";
    parked.cancel();
    EXPECT_THROW(await(parked), TaskCancelledException);
  });
}

TEST_F(TaskStatsTest, DumpOutsideARunListsWhatWaitsForOne) {
  auto task = loop().create_task([] {}, "patient");
  EXPECT_TRUE(contains(loop().dump(), "task 'patient'"));
  run([&] { await(task); });
  EXPECT_EQ("", loop().dump());
}

TEST_F(TaskStatsTest, StatisticsFollowTheTasks) {
  run([&] {
    const LoopStatistics before = loop().statistics();
    EXPECT_EQ(1u, before.tasks_alive);
    auto sleeper = create_task([] { sleep(1h); });
    EXPECT_EQ(1u, loop().statistics().ready);
    settle();
    const LoopStatistics during = loop().statistics();
    EXPECT_EQ(2u, during.tasks_alive);
    EXPECT_EQ(before.tasks_created + 1, during.tasks_created);
    EXPECT_EQ(before.timers + 1, during.timers);
    EXPECT_GT(during.switches, before.switches);
    EXPECT_GT(during.turns, before.turns);
    EXPECT_EQ(during.stacks - 2, during.stacks_free);
    sleeper.cancel();
    settle();
    EXPECT_EQ(before.timers, loop().statistics().timers);
    EXPECT_EQ(1u, loop().statistics().tasks_alive);
  });
}

}  // namespace
}  // namespace asyncio::test

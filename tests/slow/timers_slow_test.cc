// Timers in real time (cases L1, L4, L7, L10 and L11): never early, and no turn too many.  How late
// they are is for the machine to say, not for a test.  And the time stamps of tasks, in real time.
#include <algorithm>
#include <csignal>
#include <limits>
#include <optional>
#include <thread>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class TimersSlowTest : public LoopTest {
 protected:
  TimersSlowTest() { real_time(); }
  std::uint64_t waits() { return loop().statistics().backend_waits; }
};

constexpr Duration delays[] = {50us,   99us,   123us, 500us,  999us, 1ms,
                               1001us, 1500us, 2ms,   3333us, 5ms};

TEST_F(TimersSlowTest, L1_SleepsAreNeverTooShort) {
  run([] {
    for (int round = 0; round < 20; ++round) {
      for (const Duration delay : delays) {
        const TimePoint before = Clock::now();
        sleep(delay);
        EXPECT_GE(Clock::now() - before, delay);
      }
    }
  });
}

TEST_F(TimersSlowTest, L1_CallbacksAreNeverEarlyHoweverBusyTheLoopWas) {
  run([&] {
    int pending = 0;
    for (int round = 0; round < 20; ++round) {
      for (const Duration delay : delays) {
        ++pending;
        loop().call_later(delay, [&pending, due = Clock::now() + delay] {
          EXPECT_GE(Clock::now(), due);
          --pending;
        });
      }
      const TimePoint busy_until = Clock::now() + 700us;  // what the loop last knew is old by now
      while (Clock::now() < busy_until) {
      }
      if (round % 3 == 0) yield();
    }
    while (pending != 0) sleep(1ms);
  });
}

TEST_F(TimersSlowTest, L1_TimeoutsOfWaitsAreNeverTooShort) {
  run([] {
    SocketPair pair;
    for (int round = 0; round < 10; ++round) {
      for (const Duration delay : delays) {
        const TimePoint before = Clock::now();
        EXPECT_FALSE(wait_readable(pair.a(), delay));
        EXPECT_GE(Clock::now() - before, delay);
      }
    }
  });
}

TEST_F(TimersSlowTest, L1_ManySleepersAtOnceAreNeverEarly) {
  run([] {
    std::vector<Task<void>> sleepers;
    for (int i = 0; i < 500; ++i) {
      sleepers.push_back(create_task([i] {
        for (int n = 0; n < 5; ++n) {
          const Duration delay = 1us * (50 + (i * 37 + n * 911) % 5000);
          const TimePoint before = Clock::now();
          sleep(delay);
          EXPECT_GE(Clock::now() - before, delay);
        }
      }));
    }
    for (auto& sleeper : sleepers) await(sleeper);
  });
}

TEST_F(TimersSlowTest, L1_TheInterfaceAloneIsNeverEarlyEither) {
  auto backend = make_backend("auto");
  for (const Duration delay : delays) {
    backend->add_timer(
        delay, [due = Clock::now() + delay] { EXPECT_GE(Clock::now(), due); }, false);
  }
  const TimePoint start = Clock::now();
  int ticks = 0;
  TimerId id;
  id = backend->add_timer(2ms, [&] {
    ++ticks;
    EXPECT_GE(Clock::now(), start + ticks * 2ms);
    if (ticks == 10) backend->del_timer(id);
  });
  backend->run();
  EXPECT_EQ(10, ticks);
}

TEST_F(TimersSlowTest, L4_TimersOfTheFarFutureDisturbNobody) {
  run([&] {
    const double infinity = std::numeric_limits<double>::infinity();
    const TimerId far[] = {
        loop().call_later(25h, [] { ADD_FAILURE(); }),
        loop().call_later(std::chrono::hours{24 * 365 * 250}, [] { ADD_FAILURE(); }),
        loop().call_later(infinity, [] { ADD_FAILURE(); }),
    };
    auto sleeper = create_task([&] { sleep(infinity); });
    SocketPair pair;
    auto reader = create_task([&] { return wait_readable(pair.a(), infinity); });
    const std::uint64_t before = waits();
    sleep(50ms);
    EXPECT_LE(waits() - before, 10u) << "a wait that overflowed would return at once, for ever";
    pair.write(1, "x");
    EXPECT_TRUE(await(reader));
    for (const TimerId id : far) EXPECT_TRUE(loop().del_timer(id));
    sleeper.cancel();
    EXPECT_THROW(await(sleeper), TaskCancelledException);
  });
}

TEST_F(TimersSlowTest, L7_APersistentTimerIsNeverEarlyAndNeverBursts) {
  run([&] {
    const TimePoint start = Clock::now();
    int ticks = 0;
    const TimerId id =
        loop().add_timer(3ms, [&] { EXPECT_GE(Clock::now(), start + ++ticks * 3ms); });
    while (ticks < 30) {
      sleep(1ms);
      if (ticks == 10) {
        const TimePoint busy_until = Clock::now() + 10ms;
        while (Clock::now() < busy_until) {
        }
      }
    }
    loop().del_timer(id);
    EXPECT_LE(ticks, (Clock::now() - start) / 3ms - 2) << "what was missed is not made up for";
  });
}

// ---- L10 ----------------------------------------------------------------------------------------

/// In a process that is stopped for a while: 0 if each timer fired as often as it should.
int timers_across_a_stop(int tell) {
  EventLoop loop{make_backend("auto")};
  const TimePoint start = Clock::now();
  std::vector<int> once;
  int ticks = 0;
  Duration longest_gap{};
  loop.run([&] {
    for (int i = 1; i <= 5; ++i) loop.call_later(i * 30ms, [&once, i] { once.push_back(i); });
    TimePoint last = start;
    const TimerId every = loop.add_timer(10ms, [&] {
      const TimePoint now = Clock::now();
      longest_gap = std::max(longest_gap, now - last);
      last = now;
      ++ticks;
    });
    sleep(15ms);
    if (::write(tell, "x", 1) != 1) ::_exit(9);
    while (longest_gap < 250ms) sleep(1ms);
    sleep(200ms);
    loop.del_timer(every);
  });
  if (once != std::vector<int>{1, 2, 3, 4, 5}) return 1;
  constexpr int surely_missed = 20;
  if (ticks > (Clock::now() - start) / 10ms - surely_missed) return 2;
  return loop.statistics().timers == 0 ? 0 : 3;
}

TEST_F(TimersSlowTest, L10_StoppedForAWhileEachDueTimerFiresOnce) {
  int told[2];
  ASSERT_EQ(0, ::pipe(told));
  const pid_t child = ::fork();
  if (child == 0) ::_exit(timers_across_a_stop(told[1]));
  char byte = 0;
  ASSERT_EQ(1, ::read(told[0], &byte, 1));
  ASSERT_EQ(0, ::kill(child, SIGSTOP));
  int status = 0;
  ASSERT_EQ(child, ::waitpid(child, &status, WUNTRACED));
  ASSERT_TRUE(WIFSTOPPED(status));
  ::usleep(300'000);
  ASSERT_EQ(0, ::kill(child, SIGCONT));
  ASSERT_EQ(child, ::waitpid(child, &status, 0));
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(0, WEXITSTATUS(status)) << "1: one-shot timers, 2: a burst of ticks, 3: one was left";
  ::close(told[0]);
  ::close(told[1]);
}

// ---- L11 ----------------------------------------------------------------------------------------

TEST_F(TimersSlowTest, L11_ASleepCostsOneWaitNotABusyTurnAtItsEnd) {
  run([&] {
    for (const Duration delay : {Duration{300us}, Duration{1ms}, Duration{3333us}, Duration{7ms}}) {
      constexpr int sleeps = 20;
      const std::uint64_t before = waits();
      for (int i = 0; i < sleeps; ++i) sleep(delay);
      // Two: one more for the timer behind it that another wait has left.  And a few to spare.
      EXPECT_LE(waits() - before, 2u * sleeps + 5) << delay.count() << " ns";
    }
  });
}

TEST_F(TimersSlowTest, L11_ALongSleepIsOneLongWait) {
  run([&] {
    sleep(1ms);
    const std::uint64_t before = waits();
    sleep(200ms);
    EXPECT_LE(waits() - before, 6u);
  });
}

TEST_F(TimersSlowTest, L11_ATimerThatWasRevokedCostsAtMostOneTurn) {
  run([&] {
    for (int i = 0; i < 20; ++i) loop().del_timer(loop().call_later(i * 1ms + 500us, [] {}));
    const std::uint64_t before = waits();
    sleep(60ms);
    EXPECT_LE(waits() - before, 6u);
  });
}

// ---- Time stamps --------------------------------------------------------------------------------

TEST_F(TimersSlowTest, CreationTimeOfATaskAfterALongBlockedWaitIsFresh) {
  run([] {
    // Woken by a post, without any timer: nothing but the wait itself can have refreshed a cached
    // time stamp.
    const TimePoint woke = to_thread([] {
      std::this_thread::sleep_for(100ms);
      return Clock::now();
    });
    auto task = create_task([] {});
    EXPECT_GE(task.created_at(), woke);
    await(task);
  });
}

}  // namespace
}  // namespace asyncio::test

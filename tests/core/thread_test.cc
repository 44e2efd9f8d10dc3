// to_thread: blocking calls beside the loop.
#include <atomic>
#include <csignal>
#include <cstdio>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/bare_waiter.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class ThreadTest : public LoopTest {};

// Lets a worker thread wait for the test.
class Gate {
 public:
  void open() {
    {
      const std::lock_guard lock{mutex_};
      open_ = true;
    }
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

TEST_F(ThreadTest, RunsElsewhereWhileOtherTasksGoOn) {
  run([] {
    Gate gate;
    std::thread::id there;
    auto offloaded = create_task([&] {
      to_thread([&] {
        there = std::this_thread::get_id();
        gate.wait();
      });
    });
    int turns = 0;
    auto other = create_task([&] {
      for (; turns < 10; ++turns) yield();
    });
    await(other);
    EXPECT_FALSE(offloaded.is_done());
    gate.open();
    await(offloaded);
    EXPECT_NE(std::this_thread::get_id(), there);
    EXPECT_EQ(10, turns);
  });
}

TEST_F(ThreadTest, CallsThatHangHoldUpNoneButThoseOfTheirLane) {
  static constexpr lowlevel::ThreadLane narrow{2};
  run([] {
    Gate gate;
    std::atomic<int> begun = 0;
    std::vector<Task<int>> hung;
    for (int i = 0; i < 3; ++i) {
      hung.push_back(create_task([&, i] {
        return to_thread(narrow, [&, i] {
          ++begun;
          gate.wait();
          return i;
        });
      }));
    }
    while (begun < 2) yield();
    EXPECT_EQ(7, to_thread([] { return 7; })) << "the others have threads of their own";
    EXPECT_EQ(2, begun) << "the lane has two";
    gate.open();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(i, await(hung[static_cast<std::size_t>(i)]));
    EXPECT_EQ(8, to_thread(narrow, abandon, [] { return 8; }));
  });
}

TEST_F(ThreadTest, GivesBackEveryKindOfResult) {
  run([] {
    EXPECT_EQ(5, to_thread([] { return 5; }));
    EXPECT_EQ(6, *to_thread([] { return std::make_unique<int>(6); }));
    int place = 0;
    to_thread([&]() -> int& { return place; }) = 7;
    EXPECT_EQ(7, place);
    to_thread([] {});
    struct NoDefault {
      explicit NoDefault(int v) : value(v) {}
      int value;
    };
    EXPECT_EQ(8, to_thread([] { return NoDefault{8}; }).value);
    EXPECT_EQ(9, to_thread([held = std::make_unique<int>(9)] { return *held; }));
    EXPECT_EQ(10, to_thread(abandon, [held = std::make_unique<int>(10)] { return *held; }));
    EXPECT_EQ(11, *to_thread(abandon, [] { return std::make_unique<int>(11); }));
  });
}

TEST_F(ThreadTest, RethrowsWhatTheCallableThrew) {
  run([] {
    EXPECT_THROW(to_thread([] { throw std::out_of_range("far"); }), std::out_of_range);
    EXPECT_THROW(to_thread([]() -> int { throw 42; }), int);
    EXPECT_THROW(to_thread(abandon, [] { throw std::out_of_range("far"); }), std::out_of_range);
  });
}

TEST_F(ThreadTest, ExceptionCaughtOnTheWorkerStaysThere) {
  run([] {
    to_thread([] {
      try {
        throw std::runtime_error("inside");
      } catch (const std::runtime_error&) {
      }
    });
    EXPECT_EQ(nullptr, std::current_exception());
    EXPECT_EQ(0, std::uncaught_exceptions());
  });
}

TEST_F(ThreadTest, C24_CancelledItWaitsForTheThreadGivesTheResultAndKeepsTheCancelPending) {
  run([] {
    Gate gate;
    int result = 0;
    bool went_on = false;
    auto task = create_task([&] {
      int local = 1;  // the callable may use what is on the task's stack
      result = to_thread([&] {
        gate.wait();
        return ++local;
      });
      EXPECT_TRUE(is_cancelled());
      checkpoint();
      went_on = true;
    });
    settle();
    EXPECT_TRUE(task.cancel());
    settle();
    EXPECT_FALSE(task.is_done());
    EXPECT_EQ("thread", task.wait_reason());
    gate.open();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_EQ(2, result);
    EXPECT_FALSE(went_on);
  });
}

TEST_F(ThreadTest, C24_CancelledMeanwhileAFailureIsDeliveredFirst) {
  run([] {
    Gate gate;
    auto task = create_task([&] {
      to_thread([&] {
        gate.wait();
        throw std::runtime_error("from the thread");
      });
    });
    settle();
    task.cancel();
    gate.open();
    EXPECT_THROW(await(task), std::runtime_error);
    EXPECT_EQ(TaskState::failed, task.state());
  });
}

TEST_F(ThreadTest, C24_AbandonedItLetsGoAtOnceAndTheThreadKeepsWhatItNeeds) {
  auto witness = std::make_shared<int>(1);
  auto gate = std::make_shared<Gate>();
  std::atomic<bool> finished{false};
  run([&] {
    auto task = create_task([&, witness] {
      return to_thread(abandon, [witness, gate, &finished] {
        gate->wait();
        finished = true;
        return *witness;
      });
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
    EXPECT_FALSE(finished);
    EXPECT_EQ(2, witness.use_count()) << "the thread's copy; the task's has gone";
    gate->open();
    // Not before the thread has let go of everything, also of the job itself.
    while (witness.use_count() != 1) to_thread([] { std::this_thread::sleep_for(1ms); });
    EXPECT_TRUE(finished);
  });
}

TEST_F(ThreadTest, C24_AbandonedFailureIsDropped) {
  auto gate = std::make_shared<Gate>();
  run([&] {
    auto task = create_task([&] {
      to_thread(abandon, [gate] {
        gate->wait();
        throw std::runtime_error("nobody will hear of it");
      });
    });
    settle();
    task.cancel();
    settle();
    gate->open();
    while (gate.use_count() != 1) to_thread([] { std::this_thread::sleep_for(1ms); });
  });
  EXPECT_TRUE(reports.empty());
}

TEST_F(ThreadTest, C24_AbandonedThreadThatOutlivesItsLoopDoesNotDisturbTheNext) {
  auto begun = std::make_shared<Gate>();
  auto gate = std::make_shared<Gate>();
  auto gone = std::make_shared<std::atomic<bool>>(false);
  run([&] {
    auto task = create_task([&] {
      struct AtExit {
        std::shared_ptr<std::atomic<bool>> flag;
        ~AtExit() { *flag = true; }
      };
      to_thread(abandon, [begun, gate, gone] {
        begun->open();
        gate->wait();
        // Thread-local, so it goes after the worker has told the loop.
        static thread_local std::unique_ptr<AtExit> at_exit;
        at_exit.reset(new AtExit{gone});
      });
    });
    settle();
    begun->wait();  // one that has not begun would be dropped with the loop
    task.cancel();
    settle();
  });
  end_loop();
  // The next loop may be given what the first one left behind, its mailbox for one.
  run([&] {
    gate->open();
    while (!*gone) std::this_thread::sleep_for(1ms);
    settle();
    sleep(1s);  // virtual: with a thread believed busy, time would stand still
    EXPECT_EQ(1s, elapsed());
  });
  EXPECT_THROW(run(&wait_for_nothing), DeadlockError)
      << "with a thread believed busy, it would wait for ever";
}

TEST_F(ThreadTest, C24_EndOfRunWaitsForTheThread) {
  std::atomic<bool> finished{false};
  run([&] {
    create_task([&] {
      to_thread([&] {
        std::this_thread::sleep_for(10ms);
        finished = true;
      });
    });
    settle();
  });
  EXPECT_TRUE(finished);
}

TEST_F(ThreadTest, ShieldedWaitForAThreadIsNotDisturbedByACancelAtAll) {
  run([] {
    auto task = create_task([] {
      struct Cleanup {
        ~Cleanup() {
          EXPECT_EQ(4, to_thread(abandon, [] { return 4; }));
        }
      } cleanup;
      sleep(1h);
    });
    settle();
    task.cancel();
    EXPECT_THROW(await(task), TaskCancelledException);
  });
}

TEST_F(ThreadTest, ManyJobsShareABoundedNumberOfThreads) {
  run([] {
    std::mutex mutex;
    std::set<std::thread::id> threads;
    std::atomic<int> at_once{0};
    std::atomic<int> most{0};
    std::vector<Task<void>> tasks;
    for (int i = 0; i < 200; ++i) {
      tasks.push_back(create_task([&] {
        to_thread([&] {
          const int now = ++at_once;
          int before = most;
          while (now > before && !most.compare_exchange_weak(before, now)) {
          }
          {
            const std::lock_guard lock{mutex};
            threads.insert(std::this_thread::get_id());
          }
          std::this_thread::sleep_for(200us);
          --at_once;
        });
      }));
    }
    for (auto& task : tasks) await(task);
    EXPECT_LE(threads.size(), 32u);
    EXPECT_LE(most, 32);
    EXPECT_GT(most, 1) << "they do run side by side";
  });
}

// As every thread that another starts: with all signals blocked, what a job starts could not be
// ended.
TEST_F(ThreadTest, WorkersHaveTheSignalMaskOfTheLoopsThread) {
  sigset_t some;
  sigset_t before;
  ::sigemptyset(&some);
  ::sigaddset(&some, SIGUSR2);
  ASSERT_EQ(0, ::pthread_sigmask(SIG_BLOCK, &some, &before));
  run([] {
    const auto [blocked, others_blocked] = to_thread([] {
      sigset_t mask;
      ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
      return std::pair{::sigismember(&mask, SIGUSR2) == 1, ::sigismember(&mask, SIGTERM) == 1};
    });
    EXPECT_TRUE(blocked);
    EXPECT_FALSE(others_blocked);
  });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

std::pair<bool, bool> blocks_usr1_and_usr2() {
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return {::sigismember(&mask, SIGUSR1) == 1, ::sigismember(&mask, SIGUSR2) == 1};
}

TEST_F(ThreadTest, WorkersBlockTheSignalsTheyAreToldToAndNobodyElseDoes) {
  options.signals_blocked_in_workers = {SIGUSR1};
  run([] {
    EXPECT_EQ(std::pair(true, false), to_thread(&blocks_usr1_and_usr2));
    EXPECT_EQ(std::pair(false, false), blocks_usr1_and_usr2());
  });
}

TEST_F(ThreadTest, WhatIsNoSignalCannotBeBlockedInWorkers) {
  const std::string message = message_of<std::invalid_argument>([] {
    EventLoop loop{make_backend("auto"), {.signals_blocked_in_workers = {SIGUSR1, 4711}}};
  });
  EXPECT_TRUE(contains(message, "signals_blocked_in_workers")) << message;
  EXPECT_TRUE(contains(message, "4711")) << message;
}

TEST_F(ThreadTest, AProgramThatAJobStartsCanBeEnded) {
  run([] {
    const int status = to_thread([] {
      const char* const arguments[] = {"sleep", "60", nullptr};
      pid_t child = 0;
      if (::posix_spawnp(&child, "sleep", nullptr, nullptr, const_cast<char* const*>(arguments),
                         environ) != 0) {
        return -1;
      }
      ::kill(child, SIGTERM);
      int ended = 0;
      ::waitpid(child, &ended, 0);  // with the signal blocked, it would end by itself, and late
      return ended;
    });
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(SIGTERM, WTERMSIG(status));
  });
}

TEST_F(ThreadTest, CallableIsDestroyedOnceBothSidesAreThrough) {
  auto witness = std::make_shared<int>(0);
  run([&] {
    to_thread([witness] {});
    EXPECT_EQ(1, witness.use_count());
  });
}

TEST_F(ThreadTest, OutsideATaskItIsAnError) {
  bool ran = false;
  EXPECT_THROW(to_thread([&] { ran = true; }), NotInTaskError);
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace asyncio::test

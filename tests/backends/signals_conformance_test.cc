// Signals, the same on every backend (cases L25 to L27, and of L38 that no disposition is changed
// unasked; interrupted waits are in slow/signals_slow_test.cc).
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

struct sigaction disposition(int signo) {
  struct sigaction present {};
  EXPECT_EQ(0, ::sigaction(signo, nullptr, &present));
  return present;
}

bool same(const struct sigaction& a, const struct sigaction& b) {
  if (a.sa_handler != b.sa_handler || a.sa_flags != b.sa_flags) return false;
  for (int signo = 1; signo < SIGRTMAX; ++signo) {
    if (::sigismember(&a.sa_mask, signo) != ::sigismember(&b.sa_mask, signo)) return false;
  }
  return true;
}

std::atomic<int> seen_by_program{0};
void handler_of_the_program(int) { ++seen_by_program; }

/// Puts every disposition the tests touch back.
class SignalConformance : public LoopTest {
 protected:
  SignalConformance() {
    for (std::size_t i = 0; i < touched.size(); ++i) before_[i] = disposition(touched[i]);
  }
  ~SignalConformance() override {
    for (std::size_t i = 0; i < touched.size(); ++i) {
      ::sigaction(touched[i], &before_[i], nullptr);
    }
  }

 private:
  static constexpr std::array touched = {SIGINT, SIGUSR1, SIGUSR2};
  std::array<struct sigaction, touched.size()> before_{};
};

using SignalConformanceDeathTest = SignalConformance;

// ---- L25: handlers ------------------------------------------------------------------------------

TEST_F(SignalConformance, L25_EveryHandlerOfASignalRunsInOrderWithItsNumber) {
  run([&] {
    std::vector<std::string> order;
    loop().add_signal_handler(
        SIGUSR1, [&](int signo) { order.push_back("first " + std::to_string(signo)); });
    loop().add_signal_handler(
        SIGUSR1, [&](int signo) { order.push_back("second " + std::to_string(signo)); });
    loop().add_signal_handler(SIGUSR2, [&](int) { order.emplace_back("another signal's"); });
    ::raise(SIGUSR1);
    EXPECT_TRUE(order.empty()) << "ran inside the kernel's handler";
    settle();
    const std::string number = std::to_string(SIGUSR1);
    EXPECT_EQ((std::vector<std::string>{"first " + number, "second " + number}), order);
    ::raise(SIGUSR2);
    settle();
    EXPECT_EQ(3u, order.size());
    EXPECT_TRUE(loop().remove_signal_handler(SIGUSR1));
    EXPECT_TRUE(loop().remove_signal_handler(SIGUSR2));
  });
}

TEST_F(SignalConformance, L25_RemovalOfTheLastHandlerRestoresThePreviousDisposition) {
  struct sigaction own {};
  own.sa_handler = &handler_of_the_program;
  own.sa_flags = SA_NODEFER;
  ::sigemptyset(&own.sa_mask);
  ::sigaddset(&own.sa_mask, SIGUSR2);
  ASSERT_EQ(0, ::sigaction(SIGUSR1, &own, nullptr));
  seen_by_program = 0;
  const struct sigaction before = disposition(SIGUSR1);
  run([&] {
    int first = 0;
    int second = 0;
    const auto a = loop().add_signal_handler(SIGUSR1, [&](int) { ++first; });
    const auto b = loop().add_signal_handler(SIGUSR1, [&](int) { ++second; });
    EXPECT_FALSE(same(before, disposition(SIGUSR1)));
    EXPECT_TRUE(loop().remove_signal_handler(a));
    ::raise(SIGUSR1);
    settle();
    EXPECT_EQ(0, first);
    EXPECT_EQ(1, second) << "the other one still has it";
    EXPECT_EQ(0, seen_by_program);
    EXPECT_TRUE(loop().remove_signal_handler(b));
    EXPECT_TRUE(same(before, disposition(SIGUSR1)));
    ::raise(SIGUSR1);
    settle();
    EXPECT_EQ(1, seen_by_program);
    EXPECT_EQ(1, second);
    EXPECT_FALSE(loop().remove_signal_handler(a));
    EXPECT_FALSE(loop().remove_signal_handler(b));
    EXPECT_FALSE(loop().remove_signal_handler(SIGUSR1));
  });
}

TEST_F(SignalConformance, L25_TheEndOfTheLoopRestoresThePreviousDisposition) {
  ::signal(SIGUSR1, SIG_IGN);
  loop().add_signal_handler(SIGUSR1, [](int) {});
  EXPECT_NE(SIG_IGN, disposition(SIGUSR1).sa_handler);
  end_loop();
  EXPECT_EQ(SIG_IGN, disposition(SIGUSR1).sa_handler);
}

TEST_F(SignalConformance, L25_AHandlerRunsInTheLoopAndMayCreateTasks) {
  run([&] {
    std::string got;
    Task<void> made;
    loop().add_signal_handler(SIGUSR1, [&](int) {
      EXPECT_THROW(yield(), NotInTaskError);
      made = create_task([&] {
        sleep(1s);
        got = "from a task of the handler";
      });
    });
    ::raise(SIGUSR1);
    settle();
    ASSERT_TRUE(made.valid());
    await(made);
    EXPECT_EQ("from a task of the handler", got);
    loop().remove_signal_handler(SIGUSR1);
  });
}

TEST_F(SignalConformance, L25_ABurstMayCoalesceButIsNeverLost) {
  run([&] {
    int calls = 0;
    loop().add_signal_handler(SIGUSR1, [&](int) { ++calls; });
    for (int i = 0; i < 100; ++i) ::raise(SIGUSR1);
    settle();
    EXPECT_GE(calls, 1);
    EXPECT_LE(calls, 100);
    const int before = calls;
    ::raise(SIGUSR1);
    settle();
    EXPECT_EQ(before + 1, calls);
    loop().remove_signal_handler(SIGUSR1);
  });
}

TEST_F(SignalConformance, L25_ASignalRaisedByItsHandlerComesInALaterTurn) {
  run([&] {
    int calls = 0;
    loop().add_signal_handler(SIGUSR1, [&](int signo) {
      if (++calls < 5) ::raise(signo);
    });
    ::raise(SIGUSR1);
    for (int turn = 0; turn < 20; ++turn) yield();
    EXPECT_EQ(5, calls);
    loop().remove_signal_handler(SIGUSR1);
  });
}

TEST_F(SignalConformance, L25_AHandlerMayRemoveItselfAndTheNext) {
  run([&] {
    int first = 0;
    int second = 0;
    std::uint64_t a = 0;
    std::uint64_t b = 0;
    a = loop().add_signal_handler(SIGUSR1, [&](int) {
      ++first;
      EXPECT_TRUE(loop().remove_signal_handler(a));
      EXPECT_TRUE(loop().remove_signal_handler(b));
    });
    b = loop().add_signal_handler(SIGUSR1, [&](int) { ++second; });
    ::raise(SIGUSR1);
    settle();
    EXPECT_EQ(1, first);
    EXPECT_EQ(0, second);
    EXPECT_FALSE(loop().remove_signal_handler(SIGUSR1));
  });
}

TEST_F(SignalConformance, L25_AnExceptionOfAHandlerDoesNotKeepTheOthersFromRunning) {
  int second = 0;
  run([&] {
    loop().add_signal_handler(SIGUSR1, [](int) { throw std::runtime_error("first"); });
    loop().add_signal_handler(SIGUSR1, [&](int) { ++second; });
    ::raise(SIGUSR1);
    settle();
    loop().remove_signal_handler(SIGUSR1);
  });
  EXPECT_EQ(1, second);
  ASSERT_EQ(1u, reports.size());
  EXPECT_NE(std::string::npos, reports[0].find("first"));
  reports.clear();
}

TEST_F(SignalConformance, L25_WhatIsNoSignalOrCannotBeCaughtIsRefused) {
  run([&] {
    for (const int signo : {0, -1, 65, 1000, SIGKILL, SIGSTOP}) {
      EXPECT_THROW(loop().add_signal_handler(signo, [](int) {}), std::invalid_argument) << signo;
    }
    EXPECT_THROW(loop().add_signal_handler(SIGUSR1, nullptr), std::invalid_argument);
    EXPECT_THROW(wait_signal({}), std::invalid_argument);
    EXPECT_THROW(wait_signal({SIGUSR1, SIGKILL}), std::invalid_argument);
    EXPECT_FALSE(loop().remove_signal_handler(SIGUSR1)) << "left behind by a call that failed";
    EXPECT_FALSE(loop().remove_signal_handler(0));
    EXPECT_FALSE(loop().remove_signal_handler(123'456));
  });
}

TEST_F(SignalConformance, L25_WaitSignalGivesTheNumberAndRestoresTheDisposition) {
  ::signal(SIGUSR1, &handler_of_the_program);
  seen_by_program = 0;
  run([&] {
    auto waiter = create_task([] { return wait_signal({SIGUSR1, SIGUSR2}); });
    settle();
    ::raise(SIGUSR2);
    EXPECT_EQ(SIGUSR2, await(waiter));
    EXPECT_EQ(&handler_of_the_program, disposition(SIGUSR1).sa_handler);
    auto cancelled = create_task([] { return wait_signal({SIGUSR1}); });
    settle();
    EXPECT_NE(&handler_of_the_program, disposition(SIGUSR1).sa_handler);
    cancelled.cancel();
    EXPECT_THROW(await(cancelled), TaskCancelledException);
    EXPECT_EQ(&handler_of_the_program, disposition(SIGUSR1).sa_handler);
    EXPECT_EQ(0, seen_by_program);
  });
}

TEST_F(SignalConformance, L25_ASignalToAnotherThreadWakesTheLoopToo) {
  run([&] {
    auto waiter = create_task([] { return wait_signal({SIGUSR1}); });
    settle();
    std::thread other([] { ::pthread_kill(::pthread_self(), SIGUSR1); });
    EXPECT_EQ(SIGUSR1, await(waiter));
    other.join();
  });
}

// ---- L26: one signal, one loop ------------------------------------------------------------------

TEST_F(SignalConformance, L26_ASecondLoopIsRefusedASignalOfTheFirst) {
  run([&] {
    int first = 0;
    int second = 0;
    loop().add_signal_handler(SIGUSR1, [&](int) { ++first; });
    // In another thread, where it could run at the same time.
    to_thread([&] {
      EventLoop other{make_backend("auto")};
      EXPECT_THROW(other.add_signal_handler(SIGUSR1, [](int) {}), InvalidStateError);
      EXPECT_FALSE(other.remove_signal_handler(SIGUSR1)) << "it is not the other loop's to remove";
      other.run([&] {
        EXPECT_THROW(wait_signal({SIGUSR1}), InvalidStateError);
        // A signal of its own goes to it alone.
        const auto id = get_event_loop().add_signal_handler(SIGUSR2, [&](int) { ++second; });
        ::kill(::getpid(), SIGUSR2);  // raise() would be for this thread, which takes none
        while (second == 0) yield();
        get_event_loop().remove_signal_handler(id);
      });
    });
    ::raise(SIGUSR1);
    settle();
    EXPECT_EQ(1, first);
    EXPECT_EQ(1, second);
    EXPECT_TRUE(loop().remove_signal_handler(SIGUSR1));
    to_thread([] {
      EventLoop other{make_backend("auto")};
      other.add_signal_handler(SIGUSR1, [](int) {});  // free again
    });
  });
}

TEST_F(SignalConformance, L26_ASecondLoopOfTheSameThreadIsRefusedToo) {
  loop().add_signal_handler(SIGUSR1, [](int) {});
  {
    EventLoop other{make_backend("auto")};
    EXPECT_THROW(other.add_signal_handler(SIGUSR1, [](int) {}), InvalidStateError);
    EXPECT_NO_THROW(other.add_signal_handler(SIGUSR2, [](int) {}));
  }
  EXPECT_TRUE(loop().remove_signal_handler(SIGUSR1));
}

// ---- L27: SIGINT --------------------------------------------------------------------------------

TEST_F(SignalConformance, L27_SigintWakesTheLoopCancelsMainAndIsGivenBack) {
  ::signal(SIGINT, SIG_DFL);
  bool unwound = false;
  std::thread sender;
  try {
    asyncio::run([&] {
      struct Unwound {
        bool& flag;
        ~Unwound() { flag = true; }
      } mark{unwound};
      sender = signal_when_parked(SIGINT);
      sleep(1h);  // real time
    });
    ADD_FAILURE() << "slept for an hour";
  } catch (const TaskCancelledException& cancelled) {
    EXPECT_EQ(CancelReason::user, cancelled.reason());
    EXPECT_EQ("SIGINT", cancelled.text());
  }
  sender.join();
  EXPECT_TRUE(unwound);
  EXPECT_EQ(SIG_DFL, disposition(SIGINT).sa_handler);
}

TEST_F(SignalConformance, L27_MainMayCleanUpAndReturnAValueAllTheSame) {
  ::signal(SIGINT, SIG_DFL);
  std::thread sender;
  const int result = asyncio::run([&] {
    try {
      sender = signal_when_parked(SIGINT);
      sleep(1h);
    } catch (const Cancelled&) {
    }
    return 7;
  });
  sender.join();
  EXPECT_EQ(7, result);
}

TEST_F(SignalConformance, L27_ADispositionOfTheProgramIsLeftAlone) {
  ::signal(SIGINT, &handler_of_the_program);
  seen_by_program = 0;
  asyncio::run([] {
    EXPECT_EQ(&handler_of_the_program, disposition(SIGINT).sa_handler);
    ::raise(SIGINT);
    yield();
  });
  EXPECT_EQ(1, seen_by_program);
  ::signal(SIGINT, SIG_IGN);
  asyncio::run([] {
    EXPECT_EQ(SIG_IGN, disposition(SIGINT).sa_handler);
    ::raise(SIGINT);
    yield();
  });
  EXPECT_EQ(SIG_IGN, disposition(SIGINT).sa_handler);
}

TEST_F(SignalConformance, L27_RunCanBeToldToKeepOutAndOtherThreadsDo) {
  ::signal(SIGINT, SIG_DFL);
  RunOptions keep_out;
  keep_out.handle_sigint = false;
  const auto untouched = [] { EXPECT_EQ(SIG_DFL, disposition(SIGINT).sa_handler); };
  asyncio::run(untouched, keep_out);
  std::thread{[&] { asyncio::run(untouched); }}.join();
  run(untouched);  // a loop made by hand
}

TEST_F(SignalConformance, L27_AHandlerOfTheProgramOnTheLoopTakesSigint) {
  ::signal(SIGINT, SIG_DFL);
  // run() has it already, and both are told.
  int calls = 0;
  EXPECT_THROW(asyncio::run([&] {
                 get_event_loop().add_signal_handler(SIGINT, [&](int) { ++calls; });
                 ::raise(SIGINT);
                 sleep(1h);
               }),
               TaskCancelledException);
  EXPECT_EQ(1, calls);
}

TEST_F(SignalConformanceDeathTest, L27_ASecondSigintEndsTheProcess) {
  const auto stubborn = [] {
    const rlimit no_core{};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::signal(SIGINT, SIG_DFL);
    asyncio::run([] {
      for (;;) {
        ::raise(SIGINT);
        try {
          sleep(1h);
        } catch (const Cancelled&) {
          std::fputs("asked once\n", stderr);
        }
      }
    });
  };
  EXPECT_EXIT(stubborn(), testing::KilledBySignal(SIGINT), "asked once");
}

/// Ends by SIGINT, not by the alarm that says it hangs.
TEST_F(SignalConformanceDeathTest, L27_ASecondSigintEndsTheProcessWhateverTheLoopIsDoing) {
  const auto computing = [](int signals) {
    const rlimit no_core{};
    ::setrlimit(RLIMIT_CORE, &no_core);
    ::signal(SIGINT, SIG_DFL);
    ::alarm(20);
    asyncio::run([=] {
      for (int n = 0; n < signals; ++n) ::raise(SIGINT);
      std::fputs("computes\n", stderr);
      for (volatile bool for_ever = true; for_ever;) {
      }
    });
  };
  EXPECT_EXIT(computing(2), testing::KilledBySignal(SIGINT), "^$");
  const auto one_is_swallowed = [] {
    ::signal(SIGINT, SIG_DFL);
    ::alarm(20);
    asyncio::run([] {
      ::raise(SIGINT);
      try {
        sleep(1h);
      } catch (const Cancelled&) {
        std::fputs("asked once\n", stderr);
      }
      ::raise(SIGINT);
      for (volatile bool for_ever = true; for_ever;) {
      }
    });
  };
  EXPECT_EXIT(one_is_swallowed(), testing::KilledBySignal(SIGINT), "^asked once\n$");
}

TEST_F(SignalConformance, L27_TheNextRunCountsAnew) {
  ::signal(SIGINT, SIG_DFL);
  for (int n = 0; n < 3; ++n) {
    EXPECT_THROW(asyncio::run([&] {
                   ::raise(SIGINT);
                   sleep(1h);
                 }),
                 TaskCancelledException);
  }
}

// ---- A disposition that outlives its loop
// ----------------------------------------------------------

// As system(3) does in another thread, which puts back what it found, after the loop has gone.
TEST_F(SignalConformance, L25_PutBackWhenNoLoopHasItItDoesWhatWasThereBefore) {
  struct sigaction ours {};
  const auto use_and_put_back = [&] {
    {
      EventLoop other{make_backend("auto")};
      other.add_signal_handler(SIGUSR1, [](int) { ADD_FAILURE() << "the loop is gone"; });
      ours = disposition(SIGUSR1);
    }
    ::sigaction(SIGUSR1, &ours, nullptr);
  };
  seen_by_program = 0;
  ::signal(SIGUSR1, &handler_of_the_program);
  use_and_put_back();
  ::raise(SIGUSR1);
  EXPECT_EQ(1, seen_by_program);
  run([&] {
    int calls = 0;
    const auto id = loop().add_signal_handler(SIGUSR1, [&](int) { ++calls; });
    ::raise(SIGUSR1);
    settle();
    EXPECT_EQ(1, calls) << "the next loop takes it as ever";
    EXPECT_EQ(1, seen_by_program);
    loop().remove_signal_handler(id);
  });
  EXPECT_EQ(&handler_of_the_program, disposition(SIGUSR1).sa_handler);
  ::signal(SIGUSR1, SIG_IGN);
  use_and_put_back();
  ::raise(SIGUSR1);
}

TEST_F(SignalConformanceDeathTest, L27_PutBackAfterTheRunSigintEndsTheProcess) {
  const auto after_the_run = [] {
    ::signal(SIGINT, SIG_DFL);
    struct sigaction during_the_run {};
    asyncio::run([&] { during_the_run = disposition(SIGINT); });
    ::sigaction(SIGINT, &during_the_run, nullptr);
    ::raise(SIGINT);
  };
  EXPECT_EXIT(after_the_run(), testing::KilledBySignal(SIGINT), "");
}

TEST_F(SignalConformance, L27_PutBackAfterTheRunTheNextRunStillTakesSigint) {
  ::signal(SIGINT, SIG_DFL);
  struct sigaction during_the_run {};
  asyncio::run([&] { during_the_run = disposition(SIGINT); });
  ::sigaction(SIGINT, &during_the_run, nullptr);
  EXPECT_THROW(asyncio::run([&] {
                 ::raise(SIGINT);
                 sleep(1h);
               }),
               TaskCancelledException);
  EXPECT_EQ(SIG_DFL, disposition(SIGINT).sa_handler);
}

TEST_F(SignalConformance, L25_WhatTheProgramSetsMeanwhileIsLeftAlone) {
  run([&] {
    const auto id = loop().add_signal_handler(SIGUSR1, [](int) {});
    ::signal(SIGUSR1, &handler_of_the_program);
    EXPECT_TRUE(loop().remove_signal_handler(id));
    EXPECT_EQ(&handler_of_the_program, disposition(SIGUSR1).sa_handler);
  });
}

// ---- L38
// -------------------------------------------------------------------------------------------

TEST_F(SignalConformance, L38_NoDispositionIsChangedUnasked) {
  ::signal(SIGINT, SIG_DFL);
  const auto all = [] {
    std::vector<struct sigaction> list;
    for (int signo = 1; signo < SIGRTMAX; ++signo) {
      struct sigaction present {};
      ::sigaction(signo, nullptr, &present);  // fails for two numbers the C library keeps
      list.push_back(present);
    }
    return list;
  };
  const auto differing = [&all](const std::vector<struct sigaction>& before) {
    std::vector<int> numbers;
    const auto now = all();
    for (std::size_t i = 0; i < now.size(); ++i) {
      if (!same(before[i], now[i])) numbers.push_back(static_cast<int>(i) + 1);
    }
    return numbers;
  };
  const auto before = all();
  LoopOptions bare;
  bare.report_stack_overflow = false;
  {
    EventLoop plain{make_backend("auto"), bare};
    plain.run([&] {
      SocketPair pair;
      pair.write(1, "x");
      wait_readable(pair.a());
      to_thread([] {});
      EXPECT_EQ(std::vector<int>{}, differing(before));
    });
  }
  EXPECT_EQ(std::vector<int>{}, differing(before));
  asyncio::run([&] {
    // What run() is documented to take: SIGINT, and SIGSEGV for its report.
    EXPECT_EQ((std::vector<int>{SIGINT, SIGSEGV}), differing(before));
  });
  EXPECT_EQ(std::vector<int>{}, differing(before));
}

}  // namespace
}  // namespace asyncio::test

// Waits under a storm of signals (case L38): EINTR is nobody's business but the loop's.
#include <atomic>
#include <csignal>

#include <sys/time.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

std::atomic<int> interruptions{0};

/// While alive, SIGALRM interrupts whatever this process is doing, thousands of times a second.
class Storm {
 public:
  Storm() {
    struct sigaction noisy {};
    noisy.sa_handler = [](int) { ++interruptions; };
    noisy.sa_flags = 0;  // not SA_RESTART: system calls end
    ::sigaction(SIGALRM, &noisy, &before_);
    const itimerval often{{0, 200}, {0, 200}};
    ::setitimer(ITIMER_REAL, &often, nullptr);
  }
  ~Storm() {
    const itimerval off{};
    ::setitimer(ITIMER_REAL, &off, nullptr);
    ::sigaction(SIGALRM, &before_, nullptr);
  }
  Storm(const Storm&) = delete;
  Storm& operator=(const Storm&) = delete;

 private:
  struct sigaction before_ {};
};

class SignalsSlowTest : public LoopTest {
 protected:
  SignalsSlowTest() {
    real_time();
    interruptions = 0;
  }
};

TEST_F(SignalsSlowTest, L38_InterruptionsEndNoWaitEarly) {
  const Storm storm;
  run([&] {
    SocketPair pair;
    for (int i = 0; i < 3; ++i) {
      TimePoint before = Clock::now();
      sleep(30ms);
      EXPECT_GE(Clock::now() - before, 30ms);
      before = Clock::now();
      EXPECT_FALSE(wait_readable(pair.a(), 30ms));
      EXPECT_GE(Clock::now() - before, 30ms);
    }
  });
  EXPECT_GT(interruptions, 50);
}

TEST_F(SignalsSlowTest, L38_DataComesThroughAStorm) {
  const Storm storm;
  run([&] {
    SocketPair pair;
    SocketPair quiet;
    auto patient = create_task([&] { wait_readable(quiet.a()); });
    for (int i = 0; i < 20; ++i) {
      auto writer = create_task([&] {
        sleep(3ms);
        pair.write(1, "x");
      });
      wait_readable(pair.a());
      EXPECT_EQ("x", pair.read(0));
      await(writer);
      EXPECT_EQ(i, to_thread([i] { return i; }));
    }
    EXPECT_FALSE(patient.is_done());
    quiet.write(1, "x");
    await(patient);
  });
  EXPECT_GT(interruptions, 50);
}

TEST_F(SignalsSlowTest, L38_ASignalOfTheLoopComesThroughAStormOfOthers) {
  const Storm storm;
  run([&] {
    int calls = 0;
    loop().add_signal_handler(SIGUSR1, [&](int) { ++calls; });
    for (int i = 0; i < 20; ++i) {
      ::raise(SIGUSR1);
      sleep(1ms);
    }
    EXPECT_EQ(20, calls);
    loop().remove_signal_handler(SIGUSR1);
  });
}

TEST_F(SignalsSlowTest, L38_TheInterfaceAloneIsNotEndedEither) {
  const Storm storm;
  auto backend = make_backend("auto");
  int fired = 0;
  backend->add_timer(
      30ms,
      [&, due = Clock::now() + 30ms] {
        EXPECT_GE(Clock::now(), due);
        ++fired;
      },
      false);
  backend->run();
  EXPECT_EQ(1, fired);
}

}  // namespace
}  // namespace asyncio::test

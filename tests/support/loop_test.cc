#include <asyncio/tests/support/loop_test.h>

#include <atomic>
#include <cstdlib>
#include <utility>

#include <pthread.h>
#include <signal.h>

namespace asyncio::test {

LoopTest::LoopTest() {
  if (const char* text = std::getenv("ASYNCIO_TEST_SEED")) seed_ = std::strtoull(text, nullptr, 10);
  options.clock = &clock;
  options.shuffle_seed = seed_;
}

void LoopTest::keep_order() { options.shuffle_seed = 0; }
void LoopTest::real_time() { options.clock = nullptr; }

EventLoop& LoopTest::loop() {
  if (hosted_ != nullptr) return hosted_->loop();
  if (owned_ != nullptr) return *owned_;
  if (is_host_wanted()) {
    hosted_ = std::make_unique<HostedLoop>(options);
    was_hosted_ = true;
  } else {
    owned_ = std::make_unique<EventLoop>(make_backend("auto"), options);
  }
  loop().set_exception_handler([this](const ExceptionContext& context) {
    reports.push_back(context.message + (context.exception == nullptr
                                             ? std::string{}
                                             : ": " + describe(context.exception)));
  });
  return loop();
}

void LoopTest::run() {
  EventLoop& here = loop();
  if (hosted_ == nullptr) {
    here.run();
  } else {
    hosted_->run();
  }
}

void LoopTest::after_fork() {
  if (hosted_ == nullptr) {
    loop().after_fork();
  } else {
    hosted_->after_fork();
  }
}

void LoopTest::end_loop() {
  if (owned_ == nullptr && hosted_ == nullptr) return;
  const LoopStatistics left = loop().statistics();
  EXPECT_EQ(0u, left.tasks_alive) << "tasks leaked";
  EXPECT_EQ(0u, left.timers) << "timers leaked";
  EXPECT_EQ(0u, left.fd_waiters) << "descriptor waits leaked";
  EXPECT_EQ(left.stacks, left.stacks_free) << "stacks leaked";
  owned_.reset();
  hosted_.reset();
}

void LoopTest::TearDown() {
  end_loop();
  EXPECT_EQ(is_host_wanted(), was_hosted_) << "the case makes no use of the guest";
  for (const std::string& report : reports) ADD_FAILURE() << "unexpected report: " << report;
  if (HasFailure() && seed_ != 0) {
    std::printf("replay with ASYNCIO_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed_));
  }
}

void settle() {
  EventLoop& loop = get_event_loop();
  int quiet = 0;
  for (int turn = 0; turn < 100'000 && quiet < 3; ++turn) {
    yield();
    quiet = loop.statistics().ready == 0 ? quiet + 1 : 0;
  }
}

std::thread signal_when_parked(int signo) {
  auto parked = std::make_shared<std::atomic<bool>>(false);
  call_soon([parked] { *parked = true; });
  return std::thread{[parked, signo, target = ::pthread_self()] {
    while (!*parked) std::this_thread::yield();
    ::pthread_kill(target, signo);
  }};
}

void Sequencer::step(int n) {
  for (int turn = 0; next_ != n; ++turn) {
    if (turn > 100'000) {
      ADD_FAILURE() << "step " << n << " waited in vain: only " << next_ << " steps have begun";
      return;
    }
    yield();
  }
  ++next_;
}

namespace {
std::uint64_t suspensions() { return current_task().stats().suspensions; }
}  // namespace

ExpectSuspends::ExpectSuspends() : before_(suspensions()) {}
ExpectSuspends::~ExpectSuspends() { EXPECT_LT(before_, suspensions()) << "did not suspend"; }
ExpectNoSuspend::ExpectNoSuspend() : before_(suspensions()) {}
ExpectNoSuspend::~ExpectNoSuspend() { EXPECT_EQ(before_, suspensions()) << "suspended"; }

}  // namespace asyncio::test

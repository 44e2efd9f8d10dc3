// The fixture of most tests: a loop on the backend under test, virtual time, and no leaks.
#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/core/hosted_loop.h>

namespace asyncio::test {

/// Runs bodies as the main task of a loop.
///
/// With the environment variable ASYNCIO_TEST_HOST the loop is the guest of a host of that kind.  A
/// case that makes no use of it fails then: guest/owned_loop_only.txt names those that cannot.
///
/// Time is virtual: it jumps to the next deadline when every task is blocked.  Ready tasks are
/// shuffled when the environment variable ASYNCIO_TEST_SEED is set (the seed of each failed test is
/// printed); a test whose point is the order calls keep_order() first.
class LoopTest : public testing::Test {
 protected:
  LoopTest();
  void TearDown() override;

  /// First in, first out, whatever the seed.
  void keep_order();
  /// Real time, for tests of the suite `slow` and of what must not be fast.
  void real_time();

  /// The loop; made at the first use.
  EventLoop& loop();
  /// In the child of a fork: for the loop, and first of all for its host.
  void after_fork();
  /// Ends it, checking that nothing is left.
  void end_loop();

  template <std::invocable F>
  auto run(F&& body) -> detail::BodyResult<F> {
    if (!is_host_wanted()) return loop().run(std::forward<F>(body));
    auto main = loop().create_task(std::forward<F>(body), "main");
    hosted_->run_main(main.control());
    detail::check_result(main.control());
    return main.typed_control().value.take();
  }
  /// Runs until nothing is left to wait for.
  void run();

  /// How far virtual time has come.
  Duration elapsed() const { return clock.elapsed(); }

  TestClock clock;
  LoopOptions options;
  /// What the exception handler was told; must be empty at the end, unless a test empties it.
  std::vector<std::string> reports;

 private:
  std::uint64_t seed_ = 0;
  std::unique_ptr<EventLoop> owned_;
  std::unique_ptr<HostedLoop> hosted_;  // instead of it
  bool was_hosted_ = false;
};

/// Lets everything run that can run without time passing.
void settle();

/// A thread that sends `signo` to this one, once the current task is parked: the loop is asleep by
/// then, most likely.  (Not before: what arrives while a task runs, the thread sanitizer keeps back
/// until that task runs again.)
std::thread signal_when_parked(int signo);

/// Forces an order between tasks: each calls step(n) where its part n begins.
class Sequencer {
 public:
  /// Waits until parts 0 to n-1 have begun.  Gives up, with a failure, after many turns.
  void step(int n);

 private:
  int next_ = 0;
};

/// Checks that a piece of code suspends its task, or does not.
class ExpectSuspends {
 public:
  ExpectSuspends();
  ~ExpectSuspends();

 private:
  std::uint64_t before_;
};
class ExpectNoSuspend {
 public:
  ExpectNoSuspend();
  ~ExpectNoSuspend();

 private:
  std::uint64_t before_;
};

}  // namespace asyncio::test

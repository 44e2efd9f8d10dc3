// A loop belongs to one thread, and says so to every other.
#include <csignal>
#include <functional>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/messages.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class LoopThreadTest : public LoopTest {
 protected:
  struct Call {
    const char* name;
    std::function<void()> make;
  };

  /// What a stranger may not call, in any build.
  std::vector<Call> calls() {
    return {
        {"create_task", [this] { loop().create_task([] {}); }},
        {"create_task", [this] { loop().create_task([] {}, TaskOptions{.name = "named"}); }},
        {"create_future", [this] { loop().create_future<int>(); }},
        {"call_soon", [this] { loop().call_soon([] {}); }},
        {"call_later", [this] { loop().call_later(1h, [] {}); }},
        {"call_at", [this] { loop().call_at(TimePoint::max(), [] {}); }},
        {"add_timer", [this] { loop().add_timer(1h, [] {}); }},
        {"add_timer", [this] { loop().add_timer(1h, [] {}, {.background = true}); }},
        {"add_timer", [this] { loop().backend().add_timer(1h, [] {}); }},
        {"del_timer", [this] { loop().del_timer(timer); }},
        {"del_timer", [this] { loop().backend().del_timer(timer); }},
        {"add_signal_handler", [this] { loop().add_signal_handler(SIGUSR2, [](int) {}); }},
        {"remove_signal_handler", [this] { loop().remove_signal_handler(SIGUSR1); }},
        {"remove_signal_handler", [this] { loop().remove_signal_handler(handler); }},
        {"set_exception_handler", [this] { loop().set_exception_handler({}); }},
        {"notify_closing", [this] { loop().notify_closing(0); }},
        {"statistics", [this] { loop().statistics(); }},
        {"tasks", [this] { loop().tasks(); }},
        {"dump", [this] { loop().dump(); }},
        {"after_fork", [this] { loop().after_fork(); }},
        {"shutdown", [this] { loop().shutdown(); }},
        {"abandon", [this] { loop().abandon(); }},
        {"add_done_callback", [this] { waiting.add_done_callback([] {}); }},
        {"remove_done_callback", [this] { waiting.remove_done_callback(1); }},
    };
  }

  void expect_refused() {
    for (const auto& [name, make] : calls()) {
      const std::string message = message_of<InvalidStateError>(make);
      EXPECT_TRUE(contains(message, name)) << message;
      EXPECT_TRUE(contains(message, "call_soon_threadsafe(...) of a LoopHandle"))
          << name << ": " << message;
    }
  }

  TimerId timer;
  std::uint64_t handler = 0;
  Task<void> waiting;
};

TEST_F(LoopThreadTest, EveryMemberRefusesAStrangerAndNamesTheWayIn) {
  run([&] {
    waiting = create_task([] { sleep(1h); });
    timer = loop().call_later(1h, [] {});
    handler = loop().add_signal_handler(SIGUSR1, [](int) {});
    settle();
    std::thread{[&] { expect_refused(); }}.join();
    EXPECT_TRUE(loop().del_timer(timer)) << "it must be untouched";
    EXPECT_TRUE(loop().remove_signal_handler(handler));
    waiting.cancel();
  });
}

// Between two runs too, when nothing of the loop's could tell that it is in use.
TEST_F(LoopThreadTest, AStrangerIsRefusedBetweenRunsToo) {
  run([] {});
  std::thread{[&] {
    EXPECT_THROW(loop().call_soon([] {}), InvalidStateError);
    EXPECT_THROW(loop().create_task([] {}), InvalidStateError);
    EXPECT_THROW(loop().shutdown(), InvalidStateError);
  }}.join();
  run([] {});
}

TEST_F(LoopThreadTest, TheWayInThatTheMessageNamesIsOpen) {
  bool called = false;
  run([&] {
    std::thread{[handle = loop().handle(), &called] {
      handle.post([&called] { called = true; });
    }}.join();
    while (!called) yield();
  });
  EXPECT_TRUE(called);
}

TEST_F(LoopThreadTest, ALoopThatRunsElsewhereIsNotRunHere) {
  run([&] {
    std::thread{[&] {
      EXPECT_THROW(loop().run(), InvalidStateError);
      EXPECT_THROW(loop().run([] {}), InvalidStateError);
      EXPECT_THROW(loop().run_once(), InvalidStateError);
      EXPECT_THROW(loop().run_ready(), InvalidStateError);
    }}.join();
  });
}

TEST_F(LoopThreadTest, OnceItsThreadHasEndedItBelongsToTheNextThatCalls) {
  std::thread{[&] { run([] {}); }}.join();
  bool called = false;
  loop().call_soon([&] { called = true; });
  std::thread{[&] { EXPECT_THROW(loop().call_soon([] {}), InvalidStateError); }}.join();
  run([] {});
  EXPECT_TRUE(called);
}

TEST_F(LoopThreadTest, AThreadThatStillLivesKeepsIt) {
  std::latch ran{1};
  std::latch asked{1};
  std::thread other{[&] {
    run([] {});
    ran.count_down();
    asked.wait();
  }};
  ran.wait();
  EXPECT_THROW(loop().call_soon([] {}), InvalidStateError);
  asked.count_down();
  other.join();
  run([] {});
}

}  // namespace
}  // namespace asyncio::test

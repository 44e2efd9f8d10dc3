// Forks while other threads use the library: in the child none of its locks stays held.
#include <atomic>
#include <csignal>
#include <functional>
#include <memory>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class ForksSlowTest : public LoopTest {
 protected:
  ForksSlowTest() { real_time(); }

  /// Forks again and again while `busy` runs in another thread, over and over, and runs `body` in
  /// each child.
  void expect_no_child_hangs(const std::function<void()>& busy, const std::function<void()>& body) {
    std::atomic<bool> stop{false};
    std::atomic<bool> begun{false};
    std::thread worker{[&] {
      do {
        busy();
        begun = true;
      } while (!stop);
    }};
    while (!begun) std::this_thread::yield();
    for (int n = 0; n < 200 && !HasFailure(); ++n) {
      const pid_t child = ::fork();
      if (child == 0) {
        ::alarm(20);
        try {
          body();
        } catch (...) {
          ::_exit(1);
        }
        ::_exit(0);
      }
      int status = 0;
      EXPECT_EQ(child, ::waitpid(child, &status, 0));
      EXPECT_EQ(0, status) << "child " << n << (WIFSIGNALED(status) ? " hung" : " failed");
    }
    stop = true;
    worker.join();
  }
};

void run_a_little() {
  asyncio::run([] { await(create_task([] { sleep(100us); })); });
}

TEST_F(ForksSlowTest, L22_WhileAThreadAsksForBackends) {
  expect_no_child_hangs([] { static_cast<void>(available_backends()); }, run_a_little);
}

TEST_F(ForksSlowTest, L22_WhileAThreadMakesAndRunsLoops) {
  expect_no_child_hangs([] { asyncio::run([] {}); }, run_a_little);
}

TEST_F(ForksSlowTest, L22_WhileAThreadsTasksAreObserved) {
  const auto observer = std::make_shared<CountingObserver>();
  Observable::instance().add_observer(observer);
  expect_no_child_hangs(
      [] {
        asyncio::run([] {
          for (int i = 0; i < 100; ++i) await(create_task([] {}));
        });
      },
      run_a_little);
  Observable::instance().remove_observer(observer);
}

TEST_F(ForksSlowTest, L22_WhileAThreadTakesHandlesOfTheLoopThatTheChildGoesOnWith) {
  EventLoop& here = loop();
  expect_no_child_hangs([&] { static_cast<void>(here.handle()); },
                        [&] {
                          after_fork();
                          here.run([&] {
                            const LoopHandle handle = here.handle();
                            sleep(100us);
                          });
                        });
}

TEST_F(ForksSlowTest, L22_WhileAThreadAddsAndRemovesSignalHandlers) {
  const auto handle_a_signal = [] {
    EventLoop own{make_backend("auto")};
    own.remove_signal_handler(own.add_signal_handler(SIGUSR1, [](int) {}));
  };
  expect_no_child_hangs(handle_a_signal, handle_a_signal);
}

}  // namespace
}  // namespace asyncio::test

// A program that becomes a daemon closes descriptors without asking whose they are (case L41).
//
// Each case is a process of its own, and says by its exit status which of its checks failed first.
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/finally.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

void require(int number, bool holds) {
  if (!holds) std::_Exit(number);
}

/// Closes everything but the three that every program has.
void close_all() {
  for (int fd = 3; fd < 1024; ++fd) ::close(fd);
}

/// Takes their numbers for files of the program's own.
void open_many() {
  for (int i = 0; i < 64; ++i) require(90, ::open("/dev/null", O_RDWR) >= 0);
}

bool a_loop_serves() {
  SocketPair pair;
  auto reader = create_task([&] {
    wait_readable(pair.a());
    return pair.read(0);
  });
  sleep(1ms);
  pair.write(1, "x");
  return await(reader) == "x" && to_thread([] { return true; });
}

template <class F>
bool refuses(F&& call) {
  try {
    call();
  } catch (const InvalidStateError& error) {
    return contains(error.what(), "descriptors were closed by somebody else") &&
           contains(error.what(), "make the loop after that");
  }
  return false;
}

void expect_fine(void (*body)()) {
  EXPECT_EXIT(
      {
        ::alarm(20);
        body();
        std::_Exit(0);
      },
      testing::ExitedWithCode(0), "");
}

TEST(DaemonConformanceDeathTest, L41_ALoopThatWasMadeBeforeRefusesToRun) {
  expect_fine([] {
    EventLoop loop{make_backend("auto")};
    close_all();
    bool ran = false;
    require(1, refuses([&] { loop.run([&] { ran = true; }); }));
    require(2, refuses([&] { loop.run(); }));
    require(3, refuses([&] { loop.shutdown(); }));
    require(4, !ran);
  });
}

TEST(DaemonConformanceDeathTest, L41_AlsoIfTheNumbersStandForOtherFilesNow) {
  expect_fine([] {
    auto* const loop = new EventLoop{make_backend("auto")};
    close_all();
    open_many();
    require(1, refuses([&] { loop->run([] {}); }));
  });
}

TEST(DaemonConformanceDeathTest, L41_ALoopThatHasRunBeforeRefusesToo) {
  expect_fine([] {
    EventLoop loop{make_backend("auto")};
    loop.run([] { require(1, a_loop_serves()); });
    close_all();
    require(2, refuses([&] { loop.run([] {}); }));
  });
}

TEST(DaemonConformanceDeathTest, L41_ItsTasksAreUnwoundAndMayWaitMeanwhile) {
  expect_fine([] {
    bool unwound = false;
    auto loop = std::make_unique<EventLoop>(make_backend("auto"));
    loop->create_task([&] {
      const Finally at_end{[&] {
        sleep(1ms);
        unwound = a_loop_serves();
      }};
      sleep(1h);
    });
    loop->call_later(0, [&] { loop->stop(); });
    loop->run();
    close_all();
    loop.reset();
    require(1, unwound);
  });
}

TEST(DaemonConformanceDeathTest, L41_LoopsThatAreMadeAfterwardsWork) {
  expect_fine([] {
    asyncio::run([] { require(1, a_loop_serves()); });
    close_all();
    for (int i = 0; i < 2; ++i) asyncio::run([] { require(2, a_loop_serves()); });
    open_many();
    asyncio::run([] { require(3, a_loop_serves()); });
  });
}

TEST(DaemonConformanceDeathTest, L41_ABackendAloneRefusesToo) {
  expect_fine([] {
    const auto backend = make_backend("auto");
    backend->add_timer(
        1ms, [] { std::_Exit(1); }, false);
    close_all();
    require(2, refuses([&] { backend->run(); }));
  });
}

// libev ends the process when its wait fails, and says so.
TEST(DaemonConformanceDeathTest, L41_InTheMiddleOfARunItIsAnErrorThatSaysSo) {
  const auto close_in_a_task = [] {
    ::alarm(20);
    bool unwound = false;
    try {
      asyncio::run([&] {
        const Finally at_end{[&] {
          sleep(1ms);
          unwound = a_loop_serves();
        }};
        sleep(1ms);
        close_all();
        sleep(1h);
      });
    } catch (const BackendError& error) {
      require(1, contains(error.what(), "closed the loop's own descriptors while it ran"));
      require(2, unwound);
      std::_Exit(0);
    }
    std::_Exit(3);
  };
  if (make_backend("auto")->type() == "ev") {
    EXPECT_EXIT(close_in_a_task(), testing::KilledBySignal(SIGABRT), "epoll_wait: Bad file");
  } else {
    EXPECT_EXIT(close_in_a_task(), testing::ExitedWithCode(0), "");
  }
}

TEST(DaemonConformanceDeathTest, L41_InTheChildThatGoesOnAsTheDaemon) {
  expect_fine([] {
    EventLoop loop{make_backend("auto")};
    if (::fork() != 0) {
      int status = 1;
      ::wait(&status);
      std::_Exit(WEXITSTATUS(status));
    }
    ::setsid();
    close_all();
    bool refused = false;
    try {
      loop.run([] {});
    } catch (const InvalidStateError& error) {
      refused = contains(error.what(), "make a new loop");  // of the fork, which came first
    }
    require(1, refused);
    asyncio::run([] { require(2, a_loop_serves()); });
  });
}

}  // namespace
}  // namespace asyncio::test

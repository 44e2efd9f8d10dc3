// A guest and the child of a fork.
//
// Checks in a child cannot report through GoogleTest: it says by its exit status which of them
// failed first.
#include <atomic>
#include <csignal>
#include <functional>
#include <string>
#include <thread>
#include <tuple>

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/guest/guest_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

/// In the child: ends the process with `number` unless `holds`.
void check(int number, bool holds) {
  if (!holds) ::_exit(number);
}

/// Runs `body` in a child that never comes back, by one fork or by two, and expects that it ends by
/// itself, with status 0.
void in_child(const std::function<void()>& body, ::pid_t (*fork_once)() = ::fork,
              bool twice = false) {
  const ::pid_t child = fork_once();
  if (child == 0) {
    ::alarm(60);
    if (twice) in_child(body, fork_once);
    try {
      if (!twice) body();
    } catch (...) {
      ::_exit(99);
    }
    ::_exit(testing::Test::HasFailure() ? 98 : 0);
  }
  int status = 0;
  ASSERT_EQ(child, ::waitpid(child, &status, 0));
  ASSERT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
  EXPECT_EQ(0, WEXITSTATUS(status)) << "the number of the check in the child that failed";
}

// ---- Every kind of wait, in every host, after one fork and after two ----------------------------

enum class Wait { sleep, descriptor, queue, thread, signal };

class ForkedWaitTest : public GuestTest,
                       public testing::WithParamInterface<std::tuple<Wait, bool>> {
 protected:
  void wait() {
    switch (std::get<Wait>(GetParam())) {
      case Wait::sleep:
        return sleep(5ms);
      case Wait::descriptor:
        return wait_readable(pair.a());
      case Wait::queue:
        return static_cast<void>(queue.get());
      case Wait::thread:
        return wait_for_thread();
      case Wait::signal:
        return static_cast<void>(wait_signal({SIGUSR1}));
    }
  }

  /// A thread stays with the parent, which the task is told in a child; so it starts another.
  void wait_for_thread() {
    const auto work = [this] {
      while (!released.load()) std::this_thread::yield();
    };
    try {
      to_thread(work);
    } catch (const InvalidStateError&) {
      to_thread(work);
    }
  }

  /// Does what ends the wait, from outside the loop.
  void end_wait() {
    switch (std::get<Wait>(GetParam())) {
      case Wait::sleep:
        break;
      case Wait::descriptor:
        pair.write(1, "x");
        break;
      case Wait::thread:
        released.store(true);
        break;
      case Wait::queue:
        std::thread{[this, handle = loop->handle()] {
          handle.post([this] { queue.put(1); });
        }}.join();
        break;
      case Wait::signal:
        ::raise(SIGUSR1);
        break;
    }
  }

  SocketPair pair;
  Queue<int> queue;
  std::atomic<bool> released{false};
  int woken = 0;
};

TEST_P(ForkedWaitTest, Pitfall15_EndsInTheChildAndInTheParent) {
  loop->create_task([&] {
    wait();
    ++woken;
    host->end_run();
  });
  for (int i = 0; i < 3; ++i) host->look();
  ASSERT_EQ(0, woken);
  const bool twice = std::get<bool>(GetParam());
  in_child(
      [&] {
        host->after_fork();
        loop->after_fork();
        end_wait();
        host->run();
        check(1, woken == 1);
        check(2, !pair.read(0).empty() || std::get<Wait>(GetParam()) != Wait::descriptor);
      },
      ::fork, twice);
  EXPECT_EQ(0, woken);
  end_wait();
  host->run();
  EXPECT_EQ(1, woken);
}

std::string name_of(const testing::TestParamInfo<std::tuple<Wait, bool>>& info) {
  const char* const waits[] = {"Sleep", "Descriptor", "Queue", "Thread", "Signal"};
  return std::string{waits[static_cast<int>(std::get<Wait>(info.param))]} +
         (std::get<bool>(info.param) ? "ForkedTwice" : "Forked");
}

INSTANTIATE_TEST_SUITE_P(All, ForkedWaitTest,
                         testing::Combine(testing::Values(Wait::sleep, Wait::descriptor,
                                                          Wait::queue, Wait::thread, Wait::signal),
                                          testing::Bool()),
                         name_of);

// ---- What goes on in the child ------------------------------------------------------------------

TEST_F(GuestTest, Pitfall15_AfterAForkBothGoOn) {
  SocketPair pair;
  std::string got;
  loop->create_task([&] {
    wait_readable(pair.a());
    got = pair.read(0);
  });
  host->look();
  in_child([&] {
    host->after_fork();
    loop->after_fork();
    SocketPair own;
    bool read = false;
    loop->create_task([&] {
      wait_readable(own.a());
      read = true;
      host->end_run();
    });
    host->after(1ms, [&] { own.write(1, "x"); });
    host->run();
    check(1, read);
    check(2, got.empty());
  });
  pair.write(1, "parent");
  host->run();
  EXPECT_EQ("parent", got);
}

TEST_F(GuestTest, Pitfall15_ATaskThatSleptAtTheForkWakesInTheChild) {
  int ticks = 0;
  loop->create_task([&] {
    for (; ticks < 3; ++ticks) sleep(2ms);
  });
  host->look();
  in_child([&] {
    host->after_fork();
    loop->after_fork();  // and nothing else that would call for the host
    host->run();
    check(1, ticks == 3);
  });
  host->run();
  EXPECT_EQ(3, ticks);
}

TEST_F(GuestTest, Pitfall15_WorkThatTheHostHadNotComeToIsDoneInTheChild) {
  Guest thrifty{*host, {.budget = 0us}};  // so that there is always some left
  bool stop = false;
  int yields = 0;
  thrifty->create_task([&] {
    for (; !stop; ++yields) yield();
  });
  for (int i = 0; i < 5; ++i) host->look();
  in_child([&] {
    host->after_fork();
    loop->after_fork();
    thrifty->after_fork();
    const int before = yields;
    host->after(5ms, [&] { stop = true; });
    host->run();
    check(1, yields > before);
  });
  stop = true;
  host->run();
}

// ---- A child that forgets after_fork() ----------------------------------------------------------

TEST_F(GuestTest, Pitfall15_AChildThatForgetsItIsToldByItsFirstCall) {
  loop->create_task([] { sleep(1h); });
  host->look();
  in_child([&] {
    const std::function<void()> calls[] = {
        [&] { loop->create_task([] {}); },
        [&] { loop->call_soon([] {}); },
        [&] { loop->call_later(1ms, [] {}); },
        [&] { loop->create_future<int>(); },
        [&] { loop->shutdown(); },
    };
    int number = 0;
    for (const auto& call : calls) {
      check(++number,
            contains(message_of<InvalidStateError>(call), "call loop.after_fork() first"));
    }
  });
  loop->shutdown();
}

TEST_F(GuestTest, Pitfall15_AChildThatForgetsItIsToldByTheHostsRun) {
  bool woken = false;
  loop->create_task([&] {
    sleep(5ms);
    woken = true;
  });
  host->look();
  in_child([&] {
    host->after_fork();
    host->after(100ms, [&] { host->end_run(); });
    std::string told;
    try {
      host->run();
      if (reports.size() == 1) told = reports[0];
    } catch (const InvalidStateError& error) {  // where it is the host that calls process()
      told = error.what();
    }
    check(1, contains(told, "after_fork() first"));
    check(2, !woken);
  });
  // What the child's host saw of our timer was left to us.
  host->run();
  EXPECT_TRUE(woken);
}

TEST_F(GuestTest, Pitfall15_AChildThatHasNoGuestsTasksIsToldNothing) {
  in_child([&] {
    host->after_fork();
    host->after(1ms, [] {});
    try {
      host->run();
    } catch (const InvalidStateError&) {  // where it is the host that calls process()
    }
    check(1, reports.empty());
  });
}

// ---- A child that only helps, and ends ----------------------------------------------------------

/// A task of the parent's that has a session, which it would end by a goodbye.
void live_in_session(SocketPair& session) {
  struct Session {
    ~Session() { pair.write(0, "QUIT"); }
    SocketPair& pair;
  } open{session};
  sleep(1h);
}

TEST_F(GuestTest, Pitfall15_AChildThatEndsUnwindsNothingOfItsParents) {
  SocketPair session;
  loop->create_task([&] { live_in_session(session); });
  host->look();
  in_child([&] { loop.reset(); });
  in_child([&] { loop.reset(); }, ::_Fork);  // of which no handler of fork() is told
  EXPECT_EQ("", session.read(1));
  loop->shutdown();
  EXPECT_EQ("QUIT", session.read(1));
}

TEST_F(GuestTest, Pitfall15_AbandonLetsGoWithoutUnwinding) {
  SocketPair session;
  loop->create_task([&] { live_in_session(session); });
  host->look();
  // In a child, so that what is never given back is not looked for.
  const auto abandon = [&](bool as_its_own) {
    if (as_its_own) {
      host->after_fork();
      loop->after_fork();
    }
    loop->abandon();
    loop->abandon();  // twice is once
    const std::string message = message_of<InvalidStateError>([&] { loop->create_task([] {}); });
    check(1, contains(message, "abandon()"));
    check(2, message_of<InvalidStateError>([&] { loop->run(); }) != "");
    bool ran = false;
    if (as_its_own) {
      host->after(1ms, [&] { ran = true; });
      host->run();  // nothing of the guest's is left in there
      check(3, ran);
    }
    loop.reset();
    check(4, reports.empty());
  };
  in_child([&] { abandon(true); });
  in_child([&] { abandon(false); });
  EXPECT_EQ("", session.read(1));
  loop->shutdown();
  EXPECT_EQ("QUIT", session.read(1));
}

TEST_F(GuestTest, Pitfall15_AbandonIsForOutsideOfTheLoop) {
  loop->create_task([&] { EXPECT_THROW(loop->abandon(), InvalidStateError); });
  loop->call_soon([&] { EXPECT_THROW(loop->abandon(), InvalidStateError); });
  host->run();
}

}  // namespace
}  // namespace asyncio::test

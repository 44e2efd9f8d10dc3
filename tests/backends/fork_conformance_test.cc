// A loop and the child of a fork, the same on every backend (case L22).
//
// Checks in a child cannot report through GoogleTest: it says by its exit status which of them
// failed first.
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class ForkConformance : public LoopTest {
 protected:
  // The child of a program with a virtual clock has one too; nothing here depends on the kind.
  void expect_fine(pid_t child) {
    int status = 0;
    ASSERT_EQ(child, ::waitpid(child, &status, 0));
    ASSERT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
    EXPECT_EQ(0, WEXITSTATUS(status)) << "the number of the check in the child that failed";
  }
};

/// In the child: ends the process with `number` unless `holds`.
void check(int number, bool holds) {
  if (!holds) ::_exit(number);
}

template <class E>
bool throws(const std::function<void()>& call) {
  try {
    call();
  } catch (const E&) {
    return true;
  } catch (...) {
    return false;
  }
  return false;
}

/// Runs `body` in a child that never comes back.
pid_t in_child(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  try {
    body();
  } catch (...) {
    ::_exit(99);
  }
  ::_exit(0);
}

/// Two tasks pass bytes through a socket pair and sleep: most of what a loop can do.
bool loop_works() {
  SocketPair pair;
  auto reader = create_task([&] {
    std::string got;
    while (got.size() < 3) {
      wait_readable(pair.a());
      got += pair.read(0);
    }
    return got;
  });
  for (const char* byte : {"a", "b", "c"}) {
    sleep(1ms);
    pair.write(1, byte);
  }
  return await(reader) == "abc" && !wait_readable(pair.a(), 1ms);
}

TEST_F(ForkConformance, L22_TheParentsLoopRefusesToRunInTheChild) {
  run([] {});
  expect_fine(in_child([&] {
    check(1, throws<InvalidStateError>([&] { loop().run(); }));
    check(2, throws<InvalidStateError>([&] { loop().run([] {}); }));
  }));
  run([] { EXPECT_TRUE(loop_works()); });
}

TEST_F(ForkConformance, L22_ATaskOfTheParentCannotWaitInTheChild) {
  run([&] {
    SocketPair pair;
    pair.write(1, "x");
    const pid_t child = in_child([&] {
      check(1, throws<InvalidStateError>([] { sleep(1ms); }));
      check(2, throws<InvalidStateError>([] { yield(); }));
      check(3, throws<InvalidStateError>([&] { wait_readable(pair.a()); }));
      check(4, throws<InvalidStateError>([&] { wait_readable(pair.a(), 0); }));
      check(5, throws<InvalidStateError>([] { to_thread([] {}); }));
    });
    expect_fine(child);
    wait_readable(pair.a());
    EXPECT_TRUE(loop_works());
  });
}

TEST_F(ForkConformance, L22_AfterForkMakesTheLoopWorkInTheChildApartFromTheParents) {
  run([&] {
    SocketPair both;  // known to both processes
    wait_writable(both.a());
    auto waiter = create_task([&] {
      wait_readable(both.a());
      return both.read(0);
    });
    settle();
    const pid_t child = in_child([&] {
      after_fork();
      check(1, loop_works());
      // The wait of the other task came along, and its registration with it.
      both.write(1, "child");
      check(2, await(waiter) == "child");
      check(3, loop_works());
    });
    expect_fine(child);
    EXPECT_FALSE(waiter.is_done());
    both.write(1, "parent");
    EXPECT_EQ("parent", await(waiter));
    EXPECT_TRUE(loop_works());
  });
}

TEST_F(ForkConformance, L22_AfterForkBetweenRuns) {
  run([] { EXPECT_TRUE(loop_works()); });
  expect_fine(in_child([&] {
    after_fork();
    for (int i = 0; i < 2; ++i) run([&] { check(1 + i, loop_works()); });
    after_fork();  // once more is no harm
    run([&] { check(3, loop_works()); });
  }));
  run([] { EXPECT_TRUE(loop_works()); });
}

TEST_F(ForkConformance, L22_AfterForkKeepsWakeUpsFromOtherThreadsApart) {
  run([&] {
    const pid_t child = in_child([&] {
      after_fork();
      check(1, to_thread([] { return 7; }) == 7);
    });
    EXPECT_EQ(8, to_thread([] { return 8; }));
    expect_fine(child);
    EXPECT_EQ(9, to_thread([] { return 9; }));
  });
}

TEST_F(ForkConformance, L22_ThreadsStayWithTheParentAndNobodyWaitsForThem) {
  run([&] {
    std::mutex held;
    std::unique_lock lock{held};
    auto in_thread = create_task([&] {
      to_thread([&] { const std::scoped_lock wait{held}; });
      return true;
    });
    auto idle = create_task([] { to_thread([] {}); });
    await(idle);
    settle();
    expect_fine(in_child([&] {
      after_fork();
      check(1, throws<InvalidStateError>([&] { await(in_thread); }));
      check(2, to_thread([] { return 5; }) == 5);
    }));
    lock.unlock();
    EXPECT_TRUE(await(in_thread));
  });
}

TEST_F(ForkConformance, L22_ALoopWithThreadsMayBeDestroyedInTheChild) {
  auto parent = std::make_unique<EventLoop>(make_backend("auto"));
  for (int i = 0; i < 50; ++i) {  // now and then the thread is still in the middle of telling
    parent->run([] { to_thread([] {}); });
    expect_fine(in_child([&] { parent.reset(); }));
  }
  parent->run([] { EXPECT_EQ(5, to_thread([] { return 5; })); });
}

TEST_F(ForkConformance, L22_TimersComeAlong) {
  real_time();
  run([&] {
    int fired = 0;
    loop().call_later(5ms, [&] { ++fired; });
    const pid_t child = in_child([&] {
      after_fork();
      sleep(10ms);
      check(1, fired == 1);
      sleep(3ms);  // and new ones, finer than the backend's own
      check(2, fired == 1);
    });
    sleep(10ms);
    EXPECT_EQ(1, fired);
    expect_fine(child);
  });
}

TEST_F(ForkConformance, L22_AChildThatDestroysTheLoopLeavesTheParentsRegistrationsAlone) {
  auto parents = std::make_unique<EventLoop>(make_backend("auto"));
  SocketPair pair;
  std::string got;
  auto reader = parents->create_task([&] {
    for (int i = 0; i < 3; ++i) {
      wait_readable(pair.a());
      got += pair.read(0);
      parents->stop();
    }
  });
  parents->call_later(0, [&] { parents->stop(); });
  parents->run();
  ASSERT_FALSE(reader.is_done());
  const pid_t child = in_child([&] {
    parents.reset();  // its tasks are unwound, in the child
    check(1, reader.state() == TaskState::cancelled);
  });
  expect_fine(child);
  for (const char* byte : {"a", "b", "c"}) {
    pair.write(1, byte);
    parents->run();
  }
  EXPECT_EQ("abc", got);
  // Its wake-up descriptor is still there as well.
  bool posted = false;
  const LoopHandle handle = parents->handle();
  parents->run([&] {
    to_thread([&] { handle.post([&] { posted = true; }); });
    yield();
    yield();
  });
  EXPECT_TRUE(posted);
}

TEST_F(ForkConformance, L22_AChildThatClosesWhatTheParentWaitsOnDoesNotEndTheWait) {
  run([&] {
    SocketPair pair;
    auto waiter = create_task([&] { wait_readable(pair.a()); });
    settle();
    const pid_t child = in_child([&] {
      ::close(pair.a());
      SocketPair other;  // under the same number, in the child
      check(1, other.a() == pair.a());
      after_fork();
      other.write(1, "x");
      check(2, wait_readable(other.a(), 1s));
    });
    expect_fine(child);
    EXPECT_FALSE(waiter.is_done());
    pair.write(1, "x");
    await(waiter);
  });
}

TEST_F(ForkConformance, L22_AChildMayMakeALoopOfItsOwnInstead) {
  run([&] {
    SocketPair pair;
    auto waiter = create_task([&] { wait_readable(pair.a()); });
    settle();
    pid_t child = -1;
    // From a thread: on the loop's own the parent's loop still runs, in the child too.
    to_thread([&] {
      child = in_child([] {
        check(1, asyncio::run([] { return loop_works(); }));
        check(2, asyncio::run([] { return loop_works(); }));
      });
    });
    expect_fine(child);
    EXPECT_FALSE(waiter.is_done());
    pair.write(1, "x");
    await(waiter);
  });
}

TEST_F(ForkConformance, L22_GrandchildrenToo) {
  run([] {});
  expect_fine(in_child([&] {
    after_fork();
    run([&] { check(1, loop_works()); });
    const pid_t grandchild = in_child([&] {
      check(1, throws<InvalidStateError>([&] { loop().run([] {}); }));
      after_fork();
      run([&] { check(2, loop_works()); });
    });
    int status = 0;
    check(2, ::waitpid(grandchild, &status, 0) == grandchild);
    check(3, WIFEXITED(status) && WEXITSTATUS(status) == 0);
    run([&] { check(4, loop_works()); });
  }));
  run([] { EXPECT_TRUE(loop_works()); });
}

TEST_F(ForkConformance, L22_TheInterfaceAloneRefusesToRunInTheChild) {
  auto backend = make_backend("auto");
  int fired = 0;
  backend->add_timer(
      1ms, [&] { ++fired; }, false);
  expect_fine(in_child([&] { check(1, throws<InvalidStateError>([&] { backend->run(); })); }));
  backend->run();
  EXPECT_EQ(1, fired);
}

TEST_F(ForkConformance, L22_WithoutAForkAfterForkChangesNothing) {
  run([&] {
    SocketPair pair;
    auto waiter = create_task([&] { wait_readable(pair.a()); });
    settle();
    after_fork();
    settle();
    EXPECT_FALSE(waiter.is_done());
    pair.write(1, "x");
    await(waiter);
    EXPECT_TRUE(loop_works());
    EXPECT_EQ(1, to_thread([] { return 1; }));
  });
}

}  // namespace
}  // namespace asyncio::test

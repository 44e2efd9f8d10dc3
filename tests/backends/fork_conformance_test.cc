// A loop and the child of a fork, the same on every backend (case L22).
//
// Checks in a child cannot report through GoogleTest: it says by its exit status which of them
// failed first.
#include <csignal>
#include <cstdlib>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include <poll.h>
#include <spawn.h>
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
    parents.reset();
    check(1, reader.state() == TaskState::running);  // it is the parent's: not ours to unwind
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

TEST_F(ForkConformance, L22_ALoopOfTheChildTakesSignalsThatTheParentsHas) {
  ::signal(SIGUSR1, SIG_IGN);
  int parents = 0;
  run([&] {
    loop().add_signal_handler(SIGUSR1, [&](int) { ++parents; });
    const pid_t child = in_child([&] {
      std::thread{[] {  // where no loop runs
        EventLoop own{make_backend("auto")};
        own.run([&] {
          int calls = 0;
          const auto id = own.add_signal_handler(SIGUSR1, [&](int) { ++calls; });
          ::raise(SIGUSR1);
          while (calls == 0) yield();
          own.remove_signal_handler(id);
        });
      }}
          .join();
      ::raise(SIGUSR1);  // ignored, as before the parent's loop
    });
    expect_fine(child);
    ::raise(SIGUSR1);
    settle();
    EXPECT_EQ(1, parents) << "its own, and not the child's";
    loop().remove_signal_handler(SIGUSR1);
  });
  ::signal(SIGUSR1, SIG_DFL);
}

TEST_F(ForkConformance, L22_ASignalInTheChildIsNotTheParentsLoops) {
  ::signal(SIGUSR1, SIG_DFL);
  run([&] {
    int parents = 0;
    loop().add_signal_handler(SIGUSR1, [&](int) { ++parents; });
    const pid_t child = in_child([] { ::raise(SIGUSR1); });
    int status = 0;
    ASSERT_EQ(child, ::waitpid(child, &status, 0));
    ASSERT_TRUE(WIFSIGNALED(status)) << "as without the library";
    EXPECT_EQ(SIGUSR1, WTERMSIG(status));
    settle();
    EXPECT_EQ(0, parents);
    loop().remove_signal_handler(SIGUSR1);
  });
}

TEST_F(ForkConformance, L22_AfterForkTheSignalsOfTheLoopComeAlong) {
  run([&] {
    int calls = 0;
    loop().add_signal_handler(SIGUSR1, [&](int) { ++calls; });
    const pid_t child = in_child([&] {
      after_fork();
      ::raise(SIGUSR1);
      for (int turn = 0; turn < 100 && calls == 0; ++turn) yield();
      check(1, calls == 1);
      check(2, loop().remove_signal_handler(SIGUSR1));
    });
    expect_fine(child);
    settle();
    EXPECT_EQ(0, calls);
    loop().remove_signal_handler(SIGUSR1);
  });
}

// As run() in a process that a worker forked.
TEST_F(ForkConformance, L22_TheFirstSigintCancelsMainInTheChildToo) {
  ::signal(SIGINT, SIG_DFL);
  asyncio::run([&] {
    const int status = to_thread([] {
      const pid_t child = in_child([] {
        const bool cancelled = throws<TaskCancelledException>([] {
          asyncio::run([] {
            ::raise(SIGINT);
            sleep(20s);
          });
        });
        ::_exit(cancelled ? 0 : 1);
      });
      int ended = 0;
      ::waitpid(child, &ended, 0);
      return ended;
    });
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
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

TEST_F(ForkConformance, L22_AChildUnwindsTheParentsTasksOnlyIfTheyCameAlong) {
  for (const bool came_along : {false, true}) {
    auto parents = std::make_unique<EventLoop>(make_backend("auto"));
    SocketPair session;
    auto client = parents->create_task([&] {
      const struct Goodbye {
        SocketPair& peer;
        ~Goodbye() { peer.write(0, "bye"); }
      } goodbye{session};
      sleep(1h);
    });
    parents->call_later(0, [&] { parents->stop(); });
    parents->run();
    expect_fine(in_child([&] {
      if (came_along) parents->after_fork();
      parents.reset();
    }));
    pollfd peer{session.b(), POLLIN, 0};
    EXPECT_EQ(came_along ? 1 : 0, ::poll(&peer, 1, 0));
    parents.reset();
  }
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

// ---- Wherever it is forked, whatever for --------------------------------------------------------

enum class Place { idle, idle_thread, task, callback, timer, post, worker, other_thread };

/// Forks in a certain place of a loop.
class ForkPlaces : public ForkConformance, public testing::WithParamInterface<Place> {
 protected:
  /// Does `act` there, beside a task that must not notice.  If `act` comes back in a child of its,
  /// so does this.
  void at_place(const std::function<void()>& act) {
    if (GetParam() == Place::idle || GetParam() == Place::idle_thread) {
      run([] {});
      return GetParam() == Place::idle ? act() : std::thread{act}.join();
    }
    const pid_t parent = ::getpid();
    const auto in_parent = [&] { return ::getpid() == parent; };
    SocketPair pair;
    bool gone = false;
    try {
      run([&] {
        auto bystander = create_task([&] {
          struct Gone {
            bool& flag;
            ~Gone() { flag = true; }
          } on_end{gone};
          wait_readable(pair.a());
        });
        settle();
        act_there(act);
        if (!in_parent()) return;
        EXPECT_FALSE(gone);
        pair.write(1, "x");
        await(bystander);
      });
    } catch (const InvalidStateError&) {  // run() says so if main has not ended
      if (in_parent()) throw;
    }
    if (!in_parent()) check(20, !gone);
  }

 private:
  static void act_there(const std::function<void()>& act) {
    Event acted;
    const auto act_and_tell = [&] {
      act();
      acted.set();
    };
    switch (GetParam()) {
      case Place::idle:
      case Place::idle_thread:
      case Place::task:
        return act();
      case Place::callback:
        call_soon(act_and_tell);
        return acted.wait();
      case Place::timer:
        call_later(1ms, act_and_tell);
        return acted.wait();
      case Place::post:
        get_event_loop().call_soon_threadsafe(act_and_tell);
        return acted.wait();
      case Place::worker:
        return to_thread(act);
      case Place::other_thread:
        return std::thread{act}.join();
    }
  }
};

std::string name_of(const testing::TestParamInfo<Place>& info) {
  const char* const names[] = {"Idle",  "IdleThread", "Task",   "Callback",
                               "Timer", "Post",       "Worker", "OtherThread"};
  return names[static_cast<int>(info.param)];
}

INSTANTIATE_TEST_SUITE_P(Everywhere, ForkPlaces,
                         testing::Values(Place::idle, Place::idle_thread, Place::task,
                                         Place::callback, Place::timer, Place::post, Place::worker,
                                         Place::other_thread),
                         name_of);

TEST_P(ForkPlaces, L22_TheChildMayRunALoopOfItsOwn) {
  at_place([&] {
    expect_fine(in_child([] {
      ::alarm(20);
      asyncio::run([] {
        check(1, loop_works());
        check(2, to_thread([] { return 3; }) == 3);
      });
      EventLoop own{make_backend("auto")};
      own.run([] { check(3, loop_works()); });
    }));
  });
}

// A program that looks whether it has descriptors of a loop, and then ends itself as others would.
const char* const program[] = {"sh", "-c",
                               "for f in /proc/$$/fd/*; do case $(readlink $f) in "
                               "anon_inode*) exit 3;; esac; done; kill -TERM $$",
                               nullptr};

void expect_ended_by_sigterm(pid_t child) {
  int status = 0;
  ASSERT_EQ(child, ::waitpid(child, &status, 0));
  ASSERT_TRUE(WIFSIGNALED(status))
      << "3: it has inherited descriptors; here " << WEXITSTATUS(status);
  EXPECT_EQ(SIGTERM, WTERMSIG(status));
}

TEST_P(ForkPlaces, L22_AProgramThatTheChildExecutesInheritsNothing) {
  at_place([] {
    expect_ended_by_sigterm(
        in_child([] { ::execvp(program[0], const_cast<char* const*>(program)); }));
  });
}

TEST_P(ForkPlaces, L22_ASpawnedProgramInheritsNothing) {
  at_place([] {
    pid_t child = 0;
    ASSERT_EQ(0, ::posix_spawnp(&child, program[0], nullptr, nullptr,
                                const_cast<char* const*>(program), environ));
    expect_ended_by_sigterm(child);
  });
}

/// Places that a child comes back from: a thread other than the loop's is alone there.
class ForksThatComeBack : public ForkPlaces {};

INSTANTIATE_TEST_SUITE_P(Everywhere, ForksThatComeBack,
                         testing::Values(Place::idle, Place::task, Place::callback, Place::timer,
                                         Place::post),
                         name_of);

TEST_P(ForksThatComeBack, L22_TheLoopThenEndsAndLeavesTheParentsTasksAlone) {
  const pid_t parent = ::getpid();
  pid_t child = 0;
  at_place([&] {
    child = ::fork();
    if (child != 0) {
      expect_fine(child);
    } else {
      ::alarm(20);
    }
  });
  if (::getpid() == parent) return;
  const bool still_theirs = throws<InvalidStateError>([&] { loop().run([] {}); });
  check(1, still_theirs);
  asyncio::run([] { check(2, loop_works()); });
  ::_exit(0);
}

}  // namespace
}  // namespace asyncio::test

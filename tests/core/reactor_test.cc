// What the runtime makes of a backend's answers, on a backend that answers as it is told.
#include <algorithm>
#include <cerrno>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <asyncio/asyncio.h>
#include <asyncio/core/internal/reactor/reactor.h>
#include <asyncio/core/internal/rooms.h>
#include <asyncio/core/lowlevel/descriptor.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

/// Reports what the test has declared ready, level-triggered, and remembers what it was asked.
class ScriptedBackend final : public EventLoopInterface {
 public:
  struct Script {
    std::map<int, Interest> ready;
    std::deque<std::function<void(ReadySink&)>> next_waits;  // instead of an answer
    std::map<int, int> refuse;                               // errno of watch(), by descriptor
    std::map<int, int> refuse_both;  // likewise, but only of both directions at once
    bool refused_is_lost = false;    // what was watched before is not watched any more then
    int fail_first_watches = 0;
    bool cannot_rebuild = false;

    std::vector<std::pair<int, Interest>> asked;
    std::map<int, Interest> watched;
    int waits = 0;
    int rebuilt = 0;

    int times_asked(int fd) const {
      int times = 0;
      for (const auto& [asked_fd, wanted] : asked) times += asked_fd == fd ? 1 : 0;
      return times;
    }
  };

  explicit ScriptedBackend(Script& script)
      : EventLoopInterface("scripted", Precision::exact), script_(script) {}

 private:
  int watch(int fd, Interest wanted) noexcept override {
    if (any(wanted) && script_.fail_first_watches-- > 0) return ENOSPC;
    script_.asked.emplace_back(fd, wanted);
    if (const auto found = script_.refuse.find(fd); any(wanted) && found != script_.refuse.end()) {
      return refusal(fd, found->second);
    }
    if (const auto found = script_.refuse_both.find(fd);
        wanted == Interest::both && found != script_.refuse_both.end()) {
      return refusal(fd, found->second);
    }
    if (any(wanted)) {
      script_.watched[fd] = wanted;
    } else {
      script_.watched.erase(fd);
    }
    return 0;
  }

  void wait(TimePoint until, ReadySink& sink) override {
    ++script_.waits;
    if (!script_.next_waits.empty()) {
      const auto answer = std::move(script_.next_waits.front());
      script_.next_waits.pop_front();
      answer(sink);
      return;
    }
    bool reported = false;
    const auto watched = script_.watched;
    for (const auto& [fd, wanted] : watched) {
      const auto found = script_.ready.find(fd);
      Interest directions = found == script_.ready.end() ? Interest::none : found->second & wanted;
      if (found == script_.ready.end() && really_readable(fd)) directions = Interest::read;
      if (!any(directions)) continue;
      reported = true;
      sink.ready(fd, directions);
    }
    if (!reported && until == TimePoint::max()) throw BackendError("would wait for ever");
  }

  void after_fork() override {
    if (script_.cannot_rebuild) throw BackendError("cannot rebuild");
    ++script_.rebuilt;
  }

  int refusal(int fd, int error) noexcept {
    if (script_.refused_is_lost) script_.watched.erase(fd);
    return error;
  }

  /// The loop's own wake-up descriptor is not the test's to declare.
  bool really_readable(int fd) const {
    pollfd entry{fd, POLLIN, 0};
    return is_eventfd(fd) && ::poll(&entry, 1, 0) == 1;
  }
  static bool is_eventfd(int fd) {
    char target[64] = {};
    const std::string path = "/proc/self/fd/" + std::to_string(fd);
    return ::readlink(path.c_str(), target, sizeof target - 1) > 0 &&
           std::string{target}.find("eventfd") != std::string::npos;
  }

  Script& script_;
};

class ReactorTest : public testing::Test {
 protected:
  ReactorTest() { make_loop(); }
  void make_loop() {
    loop.reset();
    LoopOptions options;
    options.clock = &clock;
    loop = std::make_unique<EventLoop>(std::make_unique<ScriptedBackend>(script), options);
  }
  /// A task of its own waits, and nothing is ready any more when it goes on.
  void have_a_task_read(int from) {
    await(create_task([this, from] {
      script.ready[from] = Interest::read;
      wait_readable(from);
      script.ready.erase(from);
    }));
  }
  int wake_fd() { return loop->rooms().reactor.inbox().wake_fd(); }

  TestClock clock;
  ScriptedBackend::Script script;
  std::unique_ptr<EventLoop> loop;
  SocketPair pair;
  const int fd = pair.a();
};

// ---- Registrations ------------------------------------------------------------------------------

TEST_F(ReactorTest, OneRegistrationServesEveryWaitOfATask) {
  loop->run([&] {
    script.ready[fd] = Interest::read;
    for (int i = 0; i < 1000; ++i) wait_readable(fd);
  });
  EXPECT_EQ(1, script.times_asked(fd)) << "a system call for each wait";
}

TEST_F(ReactorTest, AnotherTaskMeansAFreshLook) {
  int pipe[2] = {-1, -1};
  ASSERT_EQ(0, ::pipe(pipe));
  loop->run([&] {
    for (int i = 0; i < 5; ++i) have_a_task_read(pipe[0]);
  });
  EXPECT_EQ(5, script.times_asked(pipe[0]))
      << "the number may stand for the other end by now, whose inode is the same";
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_F(ReactorTest, ASocketThatIsTheSameIsNotRegisteredAnewForAnotherTask) {
  loop->run([&] {
    for (int i = 0; i < 5; ++i) have_a_task_read(fd);
  });
  EXPECT_EQ(1, script.times_asked(fd));
}

TEST_F(ReactorTest, InANewKernelObjectItIsRegisteredAnew) {
  loop->run([&] {
    have_a_task_read(fd);
    loop->rooms().reactor.descriptors().note_rebuild();
    have_a_task_read(fd);
    have_a_task_read(fd);
  });
  EXPECT_EQ(2, script.times_asked(fd));
}

TEST_F(ReactorTest, L16_AWaitThatCannotBeRegisteredAnewIsTriedAgain) {
  loop->run([&] {
    script.ready[fd] = Interest::read;
    wait_readable(fd);
    const SocketPair other;
    ASSERT_EQ(fd, ::dup2(other.a(), fd));
    script.watched.erase(fd);
    script.fail_first_watches = 1;
    wait_readable(fd);
  });
  EXPECT_EQ(2, script.times_asked(fd)) << "and was refused once";
}

TEST_F(ReactorTest, L17_ASocketThatIsClosedAfterItWasFoundTheSameIsFoundToBe) {
  loop->run([&] {
    have_a_task_read(fd);
    auto late = create_task([&] { wait_readable(fd); });
    yield(), yield();
    pair.close_silently(0);
    EXPECT_THROW(await(late), FdError);
  });
}

TEST_F(ReactorTest, AnotherSocketOfTheSameNumberIsRegistered) {
  loop->run([&] {
    have_a_task_read(fd);
    const SocketPair other;
    ASSERT_EQ(fd, ::dup2(other.a(), fd)) << "closes what was there behind the loop's back";
    have_a_task_read(fd);
  });
  EXPECT_EQ(2, script.times_asked(fd));
}

TEST_F(ReactorTest, TheSecondDirectionIsAddedToTheFirst) {
  loop->run([&] {
    auto reader = create_task([&] { wait_readable(fd); });
    yield(), yield();
    EXPECT_EQ(Interest::read, script.watched[fd]);
    auto writer = create_task([&] { wait_writable(fd); });
    yield(), yield();
    EXPECT_EQ(Interest::both, script.watched[fd]);
    script.ready[fd] = Interest::write;
    await(writer);
    EXPECT_FALSE(reader.is_done());
    script.ready[fd] = Interest::both;
    await(reader);
  });
}

TEST_F(ReactorTest, ARegistrationNobodyWaitsOnIsDroppedWhenItHasBeenReportedTwice) {
  loop->run([&] {
    script.ready[fd] = Interest::read;
    wait_readable(fd);
    yield();
    EXPECT_TRUE(script.watched.contains(fd)) << "the task is probably about to wait again";
    yield();
    yield();
    EXPECT_FALSE(script.watched.contains(fd)) << "it would end every wait at once";
    wait_readable(fd);
    EXPECT_TRUE(script.watched.contains(fd));
  });
}

TEST_F(ReactorTest, OnlyTheDirectionNobodyWaitsOnIsDropped) {
  loop->run([&] {
    script.ready[fd] = Interest::write;
    auto reader = create_task([&] { wait_readable(fd); });
    wait_writable(fd);
    for (int i = 0; i < 4; ++i) yield();
    EXPECT_EQ(Interest::read, script.watched[fd]);
    script.ready[fd] = Interest::read;
    await(reader);
  });
}

TEST_F(ReactorTest, NotifyClosingEndsTheRegistration) {
  loop->run([&] {
    auto reader = create_task([&] { wait_readable(fd); });
    yield(), yield();
    notify_closing(fd);
    EXPECT_FALSE(script.watched.contains(fd));
    EXPECT_THROW(await(reader), ClosedError);
    const int asked = script.times_asked(fd);
    notify_closing(fd);
    EXPECT_EQ(asked, script.times_asked(fd)) << "there was nothing left to end";
  });
}

// ---- What somebody owns -------------------------------------------------------------------------

TEST_F(ReactorTest, AnOwnerLooksAtNothingWhicheverTaskWaits) {
  int pipe[2] = {-1, -1};
  ASSERT_EQ(0, ::pipe(pipe));
  loop->run([&] {
    lowlevel::OwnedDescriptor owned{pipe[0], "the test"};
    const auto wait = [&] {
      script.ready[pipe[0]] = Interest::read;
      owned.wait(lowlevel::enter("the test"), lowlevel::Direction::read, "the test");
      script.ready.erase(pipe[0]);
    };
    for (int i = 0; i < 5; ++i) await(create_task(wait));
    EXPECT_EQ(1, script.times_asked(pipe[0]));
    loop->rooms().reactor.descriptors().note_rebuild();
    wait();
    EXPECT_EQ(1, script.times_asked(pipe[0])) << "a new kernel object watches it already";
    EXPECT_FALSE(loop->rooms().reactor.descriptors().verify_waits()) << "nothing is to be checked";
    owned.close();
    EXPECT_EQ(2, script.times_asked(pipe[0]));
    EXPECT_FALSE(script.watched.contains(pipe[0]));
  });
  ::close(pipe[1]);
}

TEST_F(ReactorTest, TakingOverANumberNobodyUsedAsksNothing) {
  loop->run([&] {
    lowlevel::OwnedDescriptor owned{::dup(fd), "the test"};
    const int number = owned.fd();
    owned.close();
    EXPECT_EQ(0, script.times_asked(number));
  });
}

// ---- Errors of the backend ----------------------------------------------------------------------

TEST_F(ReactorTest, L16_AnErrorOfTheBackendIsAnFdErrorWithItsCodeAndLeavesNothing) {
  loop->run([&] {
    for (const int error : {ENOMEM, ENOSPC, EBADF}) {
      script.refuse[fd] = error;
      try {
        wait_readable(fd);
        ADD_FAILURE();
      } catch (const FdError& refused) {
        EXPECT_EQ(error, refused.code());
      }
      EXPECT_EQ(0u, loop->statistics().fd_waiters);
      EXPECT_FALSE(script.watched.contains(fd));
    }
    script.refuse.clear();
    script.ready[fd] = Interest::read;
    wait_readable(fd);  // it was not the descriptor's fault
  });
}

TEST_F(ReactorTest, L16_ARefusedSecondDirectionLeavesTheFirstOneWatched) {
  for (const bool is_lost : {false, true}) {
    SCOPED_TRACE(is_lost ? "what was watched is lost" : "what was watched stays");
    script.refused_is_lost = is_lost;
    loop->run([&] {
      auto reader = create_task([&] { wait_readable(fd); });
      yield();
      script.refuse_both[fd] = ENOMEM;
      EXPECT_THROW(wait_writable(fd), FdError);
      EXPECT_EQ(1u, loop->statistics().fd_waiters);
      ASSERT_TRUE(script.watched.contains(fd));
      EXPECT_EQ(Interest::read, script.watched[fd]);
      script.ready[fd] = Interest::read;
      await(reader);
    });
    script.ready.clear();
    script.refuse_both.clear();
  }
}

TEST_F(ReactorTest, L16_ADirectionThatARefusalLostIsAskedForUntilItIsWatched) {
  loop->run([&] {
    auto writer = create_task([&] { wait_writable(fd); });
    yield();
    script.refused_is_lost = true;
    script.refuse[fd] = ENOMEM;
    EXPECT_THROW(wait_readable(fd), FdError);
    EXPECT_FALSE(script.watched.contains(fd));
    script.refuse.clear();
    script.ready[fd] = Interest::write;
    await(writer);  // nothing but the loop could ask again
  });
}

TEST_F(ReactorTest, L16_AnOwnersSecondDirectionThatIsRefusedLeavesTheFirstOneWatched) {
  loop->run([&] {
    lowlevel::OwnedDescriptor owned{::dup(fd), "the test"};
    const int number = owned.fd();
    auto reader = create_task(
        [&] { owned.wait(lowlevel::enter("read"), lowlevel::Direction::read, "read"); });
    yield();
    script.refused_is_lost = true;
    script.refuse_both[number] = ENOSPC;
    EXPECT_THROW(owned.wait(lowlevel::enter("write"), lowlevel::Direction::write, "write"),
                 FdError);
    script.ready[number] = Interest::read;
    await(reader);
  });
}

TEST_F(ReactorTest, L20_WhatTheMechanismRefusesAsNeverBlockingIsReadyAtOnce) {
  script.refuse[fd] = EPERM;
  loop->run([&] {
    const std::uint64_t turns = loop->statistics().turns;
    wait_readable(fd);
    wait_writable(fd);
    EXPECT_TRUE(wait_readable(fd, 1h));
    EXPECT_EQ(turns + 3, loop->statistics().turns) << "each one still lets the others run";
  });
  EXPECT_EQ(Duration::zero(), clock.elapsed());
}

TEST_F(ReactorTest, L17_WhatTheBackendFindsDeadIsAnFdErrorForItsWaiters) {
  loop->run([&] {
    auto reader = create_task([&] { wait_readable(fd); });
    auto writer = create_task([&] { wait_writable(fd); });
    yield(), yield();
    script.next_waits.push_back([&](ReadySink& sink) {
      script.watched.erase(fd);
      sink.dead(fd);
      sink.dead(fd);
    });
    EXPECT_THROW(await(reader), FdError);
    EXPECT_THROW(await(writer), FdError);
    EXPECT_EQ(0u, loop->statistics().fd_waiters);
    script.ready[fd] = Interest::read;
    wait_readable(fd);
    EXPECT_TRUE(script.watched.contains(fd)) << "watched anew";
  });
}

TEST_F(ReactorTest, AReportMayCarryAnything) {
  loop->run([&] {
    auto reader = create_task([&] { wait_readable(fd); });
    yield(), yield();
    script.next_waits.push_back([&](ReadySink& sink) {
      for (const int stranger : {-1, -1000, 0, 19'999, 1 << 30}) {
        sink.ready(stranger, Interest::both);
        sink.dead(stranger);
      }
      sink.ready(fd, Interest::none);
      sink.ready(fd, Interest::write);  // nobody waits for that
    });
    yield(), yield();
    EXPECT_FALSE(reader.is_done());
    script.next_waits.push_back([&](ReadySink& sink) {
      sink.ready(fd, Interest::both);
      sink.ready(fd, Interest::both);  // once more is not twice
    });
    await(reader);
    EXPECT_EQ(0u, loop->statistics().fd_waiters);
  });
}

TEST_F(ReactorTest, AFailureOfTheMechanismComesOutOfRunAfterUnwinding) {
  bool unwound = false;
  const auto fail = [](ReadySink&) { throw BackendError("the mechanism has failed"); };
  try {
    loop->run([&] {
      struct Unwound {
        bool& flag;
        ~Unwound() { flag = true; }
      } mark{unwound};
      script.next_waits.emplace_back(fail);
      wait_readable(fd);
    });
    ADD_FAILURE();
  } catch (const BackendError& error) {
    EXPECT_NE(std::string::npos, std::string{error.what()}.find("the mechanism has failed"));
  }
  EXPECT_TRUE(unwound);
  EXPECT_EQ(0u, loop->statistics().tasks_alive);
  script.ready[fd] = Interest::read;
  loop->run([&] { wait_readable(fd); });
}

TEST_F(ReactorTest, L37_ABackendThatCannotWatchTheWakeUpDescriptorMakesNoLoop) {
  loop.reset();
  script.fail_first_watches = 1;
  EXPECT_THROW(make_loop(), BackendError);
  script.fail_first_watches = 0;
  make_loop();
  EXPECT_EQ(7, loop->run([] { return 7; }));
}

// ---- Registrations that can no longer be named (L19) --------------------------------------------

TEST_F(ReactorTest, L19_AReportOfTheWakeUpDescriptorWithNothingInItMeansARebuild) {
  loop->run([&] {
    script.next_waits.push_back([&](ReadySink& sink) { sink.ready(wake_fd(), Interest::read); });
    yield();
    EXPECT_EQ(1, script.rebuilt);
    loop->call_soon_threadsafe([] {});
    for (int i = 0; i < 3; ++i) yield();
    EXPECT_EQ(1, script.rebuilt) << "a real wake-up is none";
  });
}

TEST_F(ReactorTest, L19_WaitsThatKeepEndingForNothingMeanARebuild) {
  loop->run([&] {
    auto reader = create_task([&] { wait_readable(fd); });
    for (int i = 0; i < 1000; ++i) script.next_waits.emplace_back([](ReadySink&) {});
    script.next_waits.push_back([&](ReadySink& sink) { sink.ready(fd, Interest::read); });
    await(reader);
  });
  EXPECT_GE(script.rebuilt, 3);
  EXPECT_LE(script.rebuilt, 16) << "not for each of them";
}

TEST_F(ReactorTest, L19_ARebuildThatFailsIsTriedAgainAndHurtsNobody) {
  script.cannot_rebuild = true;
  loop->run([&] {
    for (int i = 0; i < 3; ++i) {
      script.next_waits.push_back([&](ReadySink& sink) { sink.ready(wake_fd(), Interest::read); });
      yield();
    }
    script.cannot_rebuild = false;
    script.next_waits.push_back([&](ReadySink& sink) { sink.ready(wake_fd(), Interest::read); });
    yield();
  });
  EXPECT_EQ(1, script.rebuilt);
}

TEST_F(ReactorTest, L19_AClosedDescriptorThatIsStillReportedIsRebuiltAway) {
  loop->run([&] {
    script.ready[fd] = Interest::read;
    wait_readable(fd);
    pair.close_silently(0);
    for (int i = 0; i < 5; ++i) yield();  // nobody waits, and no system call can name it
    EXPECT_FALSE(script.watched.contains(fd));
  });
  EXPECT_EQ(1, script.rebuilt);
}

}  // namespace
}  // namespace asyncio::test

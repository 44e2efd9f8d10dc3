// A program that uses more of libevent than others do, with busy tasks inside; and one that frees
// its base too early.
#include <memory>
#include <semaphore>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <asyncio/asyncio.h>
#include <asyncio/backends/libevent.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/neighbours.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

/// An event of the host's that is due again and again, until it has been called ten times.
class Tick {
 public:
  Tick(event_base* base, int priority) : base_(base), native_(event_new(base, -1, 0, fire, this)) {
    event_priority_set(native_, priority);
    add();
  }
  ~Tick() { event_free(native_); }
  Tick(const Tick&) = delete;
  Tick& operator=(const Tick&) = delete;
  int calls() const noexcept { return calls_; }

 private:
  static void fire(evutil_socket_t /*fd*/, short /*what*/, void* argument) {
    auto& self = *static_cast<Tick*>(argument);
    if (++self.calls_ < 10) {
      self.add();
    } else {
      event_base_loopbreak(self.base_);
    }
  }
  void add() {
    const timeval soon{0, 1'000};
    event_add(native_, &soon);
  }

  event_base* base_;
  event* native_;
  int calls_ = 0;
};

TEST(LibeventProgramTest, Pitfall6_BusyTasksLockOutNoEventOfLowPriority) {
  event_base* base = event_base_new();
  event_base_priority_init(base, 3);
  {
    EventLoop loop{attach(base)};
    Neighbours busy{loop};
    for (const int priority : {2, 1, 0}) {
      Tick tick{base, priority};
      event_base_dispatch(base);
      EXPECT_EQ(10, tick.calls()) << "of priority " << priority;
    }
    loop.shutdown();
  }
  event_base_free(base);
}

TEST(LibeventProgramTest, Pitfall6_PrioritiesAddedAfterAttachAreFollowed) {
  event_base* base = event_base_new();
  {
    EventLoop loop{attach(base)};
    event_base_priority_init(base, 3);
    Neighbours busy{loop};
    for (const int priority : {2, 1, 0}) {
      Tick tick{base, priority};
      event_base_dispatch(base);
      EXPECT_EQ(10, tick.calls()) << "of priority " << priority;
    }
    loop.shutdown();
  }
  event_base_free(base);
}

TEST(LibeventProgramTest, Pitfall6_PrioritiesTakenAwayAfterAttachAreNotAskedFor) {
  event_base* base = event_base_new();
  event_base_priority_init(base, 3);
  {
    EventLoop loop{attach(base)};
    Neighbours busy{loop};
    SocketPair pair;
    bool got = false;
    loop.create_task([&] {
      wait_readable(pair.a());
      got = true;
    });
    event_base_loop(base, EVLOOP_NONBLOCK | EVLOOP_ONCE);
    ASSERT_EQ(0, event_base_priority_init(base, 1));  // with a descriptor, a time and work ahead
    pair.write(1, "x");
    Tick tick{base, 0};
    event_base_dispatch(base);
    EXPECT_EQ(10, tick.calls());
    EXPECT_TRUE(got);
    loop.shutdown();
  }
  event_base_free(base);
}

// ---- A base that is freed first -----------------------------------------------------------------

class FreedBaseTest : public testing::Test {
 protected:
  FreedBaseTest() {
    full.fill(0);
    loop->set_exception_handler(
        [this](const ExceptionContext& context) { reports.push_back(context.message); });
  }
  ~FreedBaseTest() override {
    loop.reset();
    if (base != nullptr) event_base_free(base);
    EXPECT_EQ(std::vector<std::string>{}, reports);
  }

  void look() { event_base_loop(base, EVLOOP_NONBLOCK | EVLOOP_ONCE); }
  void free_base() { event_base_free(std::exchange(base, nullptr)); }

  /// Tasks that wait for one thing each, and one that never rests.
  void start_tasks() {
    loop->create_task([this] {
      const Counted counted{*this};
      try {
        wait_readable(pair.a());
      } catch (const Cancelled&) {
        // Its cleanup waits for a descriptor, a time and a thread, of what is watched only now.
        shield([] {
          SocketPair other;
          auto writer = create_task([&] {
            sleep(1ms);
            to_thread([&] { other.write(1, "x"); });
          });
          wait_readable(other.a());
          EXPECT_EQ("x", other.read(0));
          await(writer);
        });
        throw;
      }
    });
    loop->create_task([this] {
      const Counted counted{*this};
      wait_writable(full.a(), 1h);
    });
    loop->create_task([this] {
      const Counted counted{*this};
      sleep(1h);
    });
    loop->create_task([this] {
      const Counted counted{*this};
      to_thread([this] { a_task_was_unwound.acquire(); });
    });
    loop->create_task([this] {
      const Counted counted{*this};
      pressed.wait();
    });
    loop->create_task([this] {
      const Counted counted{*this};
      for (;;) yield();
    });
    for (int i = 0; i < 1000 && started < 6; ++i) look();
    look();
    EXPECT_EQ(0, unwound);
    EXPECT_EQ(6u, loop->statistics().tasks_alive);
  }
  void expect_the_end() {
    EXPECT_EQ(6, unwound);
    EXPECT_EQ(0u, loop->statistics().tasks_alive);
  }

  /// Counts that a task has begun, and that it has been unwound.
  struct Counted {
    explicit Counted(FreedBaseTest& owner) : test(owner) { ++test.started; }
    ~Counted() {
      ++test.unwound;
      test.a_task_was_unwound.release();
    }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    FreedBaseTest& test;
  };

  event_base* base = event_base_new();
  std::vector<std::string> reports;
  SocketPair pair;
  SocketPair full;
  Event pressed;
  int started = 0;
  int unwound = 0;
  std::counting_semaphore<> a_task_was_unwound{0};
  std::unique_ptr<EventLoop> loop = std::make_unique<EventLoop>(attach(base));
};

TEST_F(FreedBaseTest, Pitfall9_ShutdownUnwindsEveryKindOfWait) {
  start_tasks();
  free_base();
  loop->shutdown();
  expect_the_end();
}

TEST_F(FreedBaseTest, Pitfall9_TheDestructorDoesTooAndSaysSo) {
  start_tasks();
  free_base();
  loop.reset();
  EXPECT_EQ(6, unwound);
  ASSERT_EQ(1u, reports.size());
  EXPECT_TRUE(contains(reports[0], "shutdown()")) << reports[0];
  reports.clear();
}

TEST_F(FreedBaseTest, Pitfall9_WhatComesBeforeShutdownIsKeptForIt) {
  start_tasks();
  auto cancelled = loop->create_task([] { sleep(1h); });
  look();
  free_base();
  std::string log;
  std::thread{[&, handle = loop->handle()]() mutable { handle.post([&] { log += 'p'; }); }}.join();
  pair.write(1, "x");
  pressed.set();
  cancelled.cancel();
  loop->call_soon([&] { log += 's'; });
  loop->call_later(1h, [&] { log += 'l'; });
  bool begun = false;
  loop->create_task([&] { begun = true; });
  EXPECT_EQ("", log);
  loop->shutdown();
  EXPECT_EQ("sp", log);
  EXPECT_FALSE(begun);
  expect_the_end();
}

TEST_F(FreedBaseTest, Pitfall9_AGuestThatWasIdleNoticesToo) {
  look();
  free_base();
  bool called = false;
  loop->call_soon([&] { called = true; });
  loop->shutdown();
  EXPECT_TRUE(called);
}

TEST_F(FreedBaseTest, Pitfall9_WorkThatTheBaseNeverCameToIsNotLost) {
  bool called = false;
  loop->call_soon([&] { called = true; });
  free_base();
  loop->shutdown();
  EXPECT_TRUE(called);
}

TEST_F(FreedBaseTest, Pitfall9_OneThatNeverHadAnythingToDoIsDestroyed) {
  const auto bare = attach(base);
  free_base();
}

TEST_F(FreedBaseTest, Pitfall9_DescriptorsClosedMeanwhileDisturbNothing) {
  start_tasks();
  pair.close_silently(0);
  free_base();
  full.close_silently(0);
  loop->shutdown();
  expect_the_end();
}

TEST_F(FreedBaseTest, Pitfall9_FreedInTheChildOfAForkItDoesNotReachTheParent) {
  std::string got;
  loop->create_task([&] {
    wait_readable(pair.a());
    got = pair.read(0);
  });
  look();
  const pid_t child = ::fork();
  if (child == 0) {
    event_reinit(base);
    free_base();
    loop->after_fork();
    loop->shutdown();
    ::_exit(loop->statistics().tasks_alive == 0 && got.empty() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(child, ::waitpid(child, &status, 0));
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  pair.write(1, "parent");
  event_base_dispatch(base);
  EXPECT_EQ("parent", got);
}

TEST_F(FreedBaseTest, AnIdleGuestIsNotCountedAmongTheEventsOfTheBase) {
  EXPECT_EQ(0, event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED));
  EXPECT_EQ(1, event_base_dispatch(base)) << "1: it has nothing to wait for";
  loop->create_task([] { sleep(1ms); });
  event_base_dispatch(base);
  EXPECT_EQ(0, event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED));
}

}  // namespace
}  // namespace asyncio::test

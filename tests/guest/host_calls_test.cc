// What a callback of the host's may do with its guest, and what it is told to do instead.
#include <csignal>
#include <functional>
#include <latch>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/guest/guest_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

TEST_F(GuestTest, Pitfall3_AHostThatClosesAConnectionTellsTheTaskThatWaits) {
  SocketPair pair;
  std::string log;
  const auto wait = [&](void (*wait_for)(int)) {
    try {
      wait_for(pair.a());
      ADD_FAILURE() << "must throw";
    } catch (const ClosedError& error) {
      log += contains(error.what(), "closed while task") ? 'c' : '?';
    }
  };
  loop->create_task([&] { wait(wait_readable); });
  host->look();
  host->after(1ms, [&] {
    loop->notify_closing(pair.a());
    pair.close_silently(0);
  });
  host->after(10s, [&] { host->end_run(); });  // the task was not woken
  loop->create_task([&] {
    while (log.empty()) sleep(1ms);
    host->end_run();
  });
  host->run();
  EXPECT_EQ("c", log);
  loop->notify_closing(pair.a());  // no harm where nobody waits
}

TEST_F(GuestTest, Pitfall3_AHostsCallbackMakesAFutureAndSetsIt) {
  using Answer = std::pair<int, std::string>;
  std::string log;
  host->after(1ms, [&] {
    auto question = loop->create_future<Answer>();
    auto done = loop->create_future<void>();
    question.add_done_callback([&] { log += 'd'; });
    loop->create_task([&log, question, done] {
      await(done);
      log += await(question).second;
    });
    host->after(1ms, [&log, question, done] {
      log += 's';
      question.set_result({7, "x"});
      done.set_result();
    });
  });
  host->run();
  EXPECT_EQ("sdx", log);
}

TEST_F(GuestTest, Pitfall3_WhatNeedsARunningLoopNamesTheMemberInstead) {
  const std::vector<std::function<void()>> calls{
      [] { create_task([] {}); },     [] { call_soon([] {}); },
      [] { call_later(1ms, [] {}); }, [] { call_at(TimePoint::max(), [] {}); },
      [] { notify_closing(0); },      [] { create_future<int>(); },
      [] { get_event_loop(); },       [] { CancellationScope{}; },
  };
  host->after(1ms, [&] {
    for (const auto& call : calls) {
      const std::string message = message_of<NoRunningLoopError>(call);
      EXPECT_TRUE(contains(message, "loop.create_task(...)")) << message;
      EXPECT_FALSE(contains(message, "asyncio::run")) << message;
    }
  });
  host->run();
}

TEST_F(GuestTest, Pitfall3_WhatNeedsATaskSaysHowToStartOne) {
  Queue<int> full{1};
  full.put(1);
  Event event;
  Mutex mutex;
  const std::vector<std::function<void()>> calls{
      [] { yield(); },          [] { wait_readable(0); },
      [] { to_thread([] {}); }, [] { wait_signal({SIGUSR1}); },
      [&] { full.put(2); },     [&] { event.wait(); },
      [&] { mutex.lock(); },    [] { set_context("key", 1); },
  };
  host->after(1ms, [&] {
    for (const auto& call : calls) {
      const std::string message = message_of<NotInTaskError>(call);
      EXPECT_TRUE(contains(message, "loop.create_task(...)")) << message;
      EXPECT_FALSE(contains(message, "asyncio::run")) << message;
    }
  });
  host->run();
}

TEST_F(GuestTest, Pitfall17_TheThreadThatRunsTheHostTakesTheGuestOver) {
  bool ended = false;
  loop->create_task([&] {  // by the thread that sets everything up
    sleep(1ms);
    ended = true;
  });
  std::thread{[&] {
    host->run();
    loop->call_soon([] {});
    host->run();
  }}.join();
  EXPECT_TRUE(ended);
}

TEST_F(GuestTest, Pitfall17_AnIdleGuestIsTakenOverByTheFirstCall) {
  bool ended = false;
  std::latch called{1};
  std::latch refused{1};
  std::thread other{[&] {
    host->after(1ms, [&] { loop->create_task([&] { ended = true; }); });
    host->run();
    called.count_down();
    refused.wait();
  }};
  called.wait();
  EXPECT_THROW(loop->create_task([] {}), InvalidStateError);
  refused.count_down();
  other.join();
  EXPECT_TRUE(ended);
}

TEST_F(GuestTest, Pitfall17_CallsFromAnotherThreadAreRefused) {
  loop->call_soon([] {});
  host->run();
  std::thread{[&] { EXPECT_THROW(loop->create_task([] {}), InvalidStateError); }}.join();
  host->run();
}

}  // namespace
}  // namespace asyncio::test

// A guest in a host's loop.  docs/semantics.md lists the pitfalls by their numbers.
#include <csignal>
#include <filesystem>
#include <functional>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/guest/guest_test.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

// ---- The plain way ------------------------------------------------------------------------------

TEST_F(GuestTest, TasksSleepWaitForDataAndForEachOtherInsideTheHostsRun) {
  std::string log;
  SocketPair pair;
  loop->create_task([&] {
    auto reader = create_task([&] {
      wait_readable(pair.a());
      return pair.read(0);
    });
    sleep(1ms);
    pair.write(1, "x");
    log += await(reader);
    log += to_thread([] { return std::string("t"); });
    EXPECT_FALSE(wait_readable(pair.a(), 1ms));
  });
  host->run();
  EXPECT_EQ("xt", log);
}

TEST_F(GuestTest, Pitfall1_RunIsAnErrorThatSaysWhoRuns) {
  EXPECT_TRUE(contains(message_of<InvalidStateError>([&] { loop->run(); }), "host"));
  EXPECT_TRUE(contains(message_of<InvalidStateError>([&] { loop->run([] {}); }), "host"));
  EXPECT_THROW(host->attach()->run(), InvalidStateError);
  loop->create_task([] { EXPECT_THROW(asyncio::run([] {}), NestedRunError); });
  host->run();
}

TEST_F(GuestTest, Pitfall2_AnIdleGuestHasNoTurnsAndABusyOneLeavesTheHostItsOwn) {
  host->after(20ms, [] {});
  const auto turns = loop->statistics().turns;
  host->run();
  EXPECT_EQ(turns, loop->statistics().turns);

  int ticks = 0;
  bool stop = false;
  std::function<void()> tick = [&] {
    if (++ticks == 10) stop = true;
    if (!stop) host->after(1ms, tick);
  };
  host->after(0ms, tick);
  for (int i = 0; i < 100; ++i) {
    loop->create_task([&] {
      while (!stop) yield();
    });
  }
  host->run();
  EXPECT_EQ(10, ticks);
}

// Ready data beats a timeout.  But the look that finds our timer has found all data before it, so
// no second one is needed.
TEST_F(GuestTest, ASleepBesideATaskThatWaitsForDataCostsTheHostOneLook) {
  constexpr unsigned sleeps = 20;
  SocketPair pair;
  auto waiter = loop->create_task([&] { wait_readable(pair.a()); });
  loop->create_task([&] {
    for (unsigned i = 0; i < sleeps; ++i) sleep(2ms);
    waiter.cancel();
  });
  host->look();
  const auto turns = loop->statistics().turns;
  host->run();
  EXPECT_LT(loop->statistics().turns - turns, 2 * sleeps - 5);
}

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all{"/proc/self/fd"};
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

TEST_F(GuestTest, AGuestHoldsFourDescriptorsAtMost) {
  const std::size_t before = open_descriptors();
  Guest another{*host};
  EXPECT_LE(open_descriptors(), before + 4);
}

TEST_F(GuestTest, Pitfall3_WorkMadeReadyByAHostsCallbackIsDone) {
  Event pressed;
  bool seen = false;
  loop->create_task([&] {
    pressed.wait();
    seen = true;
    host->end_run();
  });
  host->look();
  host->after(1ms, [&] { pressed.set(); });
  host->after(10s, [&] { host->end_run(); });  // the host was not woken
  host->run();
  EXPECT_TRUE(seen);
}

TEST_F(GuestTest, Pitfall3_CallbacksAndTasksStartedByTheHostRun) {
  std::string log;
  host->after(1ms, [&] {
    loop->call_soon([&] {
      log += 'c';
      create_task([&] { log += 't'; });
    });
    loop->create_task([&] { log += 'T'; });
  });
  host->run();
  EXPECT_EQ("cTt", log);
}

TEST_F(GuestTest, Pitfall4_AnEarlierDeadlineSetByTheHostIsKept) {
  std::string log;
  loop->call_later(1h, [] {});
  host->after(10s, [] { FAIL() << "the host was not woken"; });
  host->look();
  CancellationScope* open = nullptr;
  host->after(1ms, [&] {
    loop->call_later(1ms, [&] {
      log += 'a';
      host->after(1ms, [&] { open->set_deadline(loop->now() + 1ms); });
    });
  });
  loop->create_task([&] {
    CancellationScope::try_run([&](CancellationScope& scope) {
      open = &scope;
      sleep(1h);
    });
    log += 'b';
    host->end_run();
  });
  host->run();
  EXPECT_EQ("ab", log);
  loop->shutdown();
}

TEST_F(GuestTest, Pitfall5_ASleepCountsFromNowThoughTheHostWasBusy) {
  loop->create_task([&] {
    const TimePoint began = Clock::now();
    std::this_thread::sleep_for(5ms);  // the host's cached time is old now
    sleep(5ms);
    EXPECT_GE(Clock::now() - began, 10ms);
  });
  host->run();
}

TEST_F(GuestTest, AVirtualDeadlineIsNoTimeForTheHost) {
  TestClock clock{TimePoint{}};  // whatever it says is long past on the real one
  Guest virtually{*host, {}, {.clock = &clock}};
  bool woken = false;
  virtually->create_task([&] {
    sleep(1h);
    woken = true;
  });
  for (int i = 0; i < 3; ++i) host->look();
  const auto turns = virtually->statistics().turns;
  host->after(5ms, [&] { host->end_run(); });
  host->run();
  EXPECT_EQ(turns, virtually->statistics().turns);

  clock.advance(1h);
  virtually->call_soon([] {});
  host->run();
  EXPECT_TRUE(woken);
}

TEST_F(GuestTest, Pitfall7_TheHostsRunLastsAsLongAsTasksDoAndNoLonger) {
  bool ended = false;
  loop->create_task([&] {
    sleep(5ms);
    ended = true;
  });
  host->run();
  EXPECT_TRUE(ended);
  host->run();  // returns at once: an idle guest holds nothing
}

TEST_F(GuestTest, Pitfall7_ACallFromAnotherThreadWakesItAndAHandleHoldsIt) {
  bool called = false;
  std::thread other{[&, handle = loop->handle()]() mutable {
    std::this_thread::sleep_for(5ms);
    handle.post([&] { called = true; });
  }};
  host->run();
  EXPECT_TRUE(called);
  other.join();
}

// ---- The end ------------------------------------------------------------------------------------

// A task that needs time for its cleanup.
void clean_up_slowly(std::string& log) {
  try {
    sleep(1h);
  } catch (const Cancelled& cancelled) {
    EXPECT_EQ(CancelReason::shutdown, cancelled.reason());
    shield([] { sleep(2ms); });
    log += 'u';
    throw;
  }
}

TEST_F(GuestTest, Pitfall8_ShutdownUnwindsWhatTheHostLeftSuspended) {
  std::string log;
  SocketPair pair;
  for (int i = 0; i < 5; ++i) loop->create_task([&] { clean_up_slowly(log); });
  for (int i = 0; i < 5; ++i) {
    loop->create_task([&] {
      try {
        wait_readable(pair.a());
      } catch (const Error&) {  // one task at a time
      }
    });
  }
  host->look();  // now they all wait
  host->after(1h, [] {});
  host->after(1ms, [&] { host->end_run(); });
  host->run();
  loop->shutdown();
  EXPECT_EQ("uuuuu", log);
  EXPECT_EQ(1u, host->pending()) << "the host's own are untouched";
  EXPECT_EQ(0u, loop->statistics().tasks_alive);
  EXPECT_THROW(loop->create_task([] {}), InvalidStateError);
  loop->shutdown();  // twice is once
}

TEST_F(GuestTest, Pitfall8_ShutdownInsideTheHostsRun) {
  std::string log;
  loop->create_task([&] { clean_up_slowly(log); });
  host->after(1ms, [&] {
    loop->shutdown();
    log += 'h';
  });
  host->run();  // and nothing of ours keeps it
  EXPECT_EQ("uh", log);
}

TEST_F(GuestTest, Pitfall8_ShutdownByACallbackOfTheLoopComesAfterTheTurn) {
  std::string log;
  loop->create_task([&] { clean_up_slowly(log); });
  loop->call_later(1ms, [&] {
    loop->shutdown();
    log += 'c';
  });
  host->run();
  EXPECT_EQ("cu", log);
}

TEST_F(GuestTest, Pitfall8_ATaskCannotShutItsOwnLoopDown) {
  loop->create_task([&] { EXPECT_THROW(loop->shutdown(), InvalidStateError); });
  host->run();
}

TEST_F(GuestTest, Pitfall8_TheDestructorUnwindsTooAndSaysSo) {
  std::string log;
  loop->create_task([&] { clean_up_slowly(log); });
  host->look();
  loop.reset();
  EXPECT_EQ("u", log);
  ASSERT_EQ(1u, reports.size());
  EXPECT_TRUE(contains(reports[0], "shutdown()")) << reports[0];
  reports.clear();
  host->run();
}

TEST_F(GuestTest, Pitfall9_AHostThatGoesFirstIsLeft) {
  std::string log;
  loop->create_task([&] { clean_up_slowly(log); });
  host->look();
  host->destroy();
  loop->shutdown();
  EXPECT_EQ("u", log);
}

// ---- Good manners -------------------------------------------------------------------------------

TEST_F(GuestTest, Pitfall10_NoExceptionReachesTheHost) {
  loop->set_exception_handler({});
  testing::internal::CaptureStderr();
  loop->call_soon([] { throw std::runtime_error("callback"); });
  loop->call_later(1ms, [] { throw std::runtime_error("timer"); });
  loop->create_task([] { throw std::runtime_error("task"); });
  host->run();
  const std::string said = testing::internal::GetCapturedStderr();
  for (const char* what : {"callback", "timer", "task"}) EXPECT_TRUE(contains(said, what)) << said;
  bool usable = false;
  loop->create_task([&] { usable = true; });
  host->run();
  EXPECT_TRUE(usable);
}

TEST_F(GuestTest, Pitfall11_12_ATaskThatRunsTheHostIsNotOvertakenByOthers) {
  std::string log;
  loop->create_task([&] {
    log += '(';
    if (host->may_be_nested()) {
      host->after(1ms, [&] { log += 'h'; });
      host->after(2ms, [&] { host->end_run(); });
      host->run();  // a modal dialog
    } else {
      EXPECT_FALSE(host->run());  // libevent refuses it by itself
      log += 'h';
    }
    log += ')';
  });
  loop->create_task([&] { log += 't'; });
  host->run();
  EXPECT_EQ("(h)t", log);
}

// The host's turns in there find nothing to do for the guest, which has the thread: that must not
// keep the host from coming back for what is left.
TEST_F(GuestTest, Pitfall11_ATaskThatRunsTheHostPastItsBudgetDoesNotStrandTheRest) {
  Guest thrifty{*host, {.budget = 50us}};
  std::string log;
  thrifty->create_task([&] {
    if (host->may_be_nested()) {
      host->after(1ms, [&] { host->end_run(); });
      host->run();
    }
    log += 't';
  });
  thrifty->call_soon([&] { log += 'c'; });
  host->run();
  EXPECT_EQ("tc", log);
}

// By a frame that no task's stack would hold.
bool has_a_deep_stack() {
  volatile char frame[1024 * 1024];
  frame[0] = 'x';
  frame[sizeof frame - 1] = 'y';
  return frame[0] == 'x' && frame[sizeof frame - 1] == 'y';
}

TEST_F(GuestTest, Pitfall13_CallbacksRunOnTheHostsStackAndTasksOnOnesOfTheirSize) {
  int deep = 0;
  host->after(1ms, [&] { deep += has_a_deep_stack(); });
  loop->call_soon([&] { deep += has_a_deep_stack(); });
  loop->call_later(1ms, [&] { deep += has_a_deep_stack(); });
  loop->create_task([&] { deep += has_a_deep_stack(); }, {.stack_size = 2 * 1024 * 1024});
  host->run();
  EXPECT_EQ(4, deep);
}

TEST_F(GuestTest, Pitfall14_TheDispositionsOfSignalsStayTheHosts) {
  struct sigaction before[3];
  struct sigaction after[3];
  const int signals[3] = {SIGINT, SIGCHLD, SIGTERM};
  for (int i = 0; i < 3; ++i) ::sigaction(signals[i], nullptr, &before[i]);
  loop->create_task([&] {
    for (int i = 0; i < 3; ++i) ::sigaction(signals[i], nullptr, &after[i]);
  });
  host->run();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(before[i].sa_handler, after[i].sa_handler);
}

TEST_F(GuestTest, Pitfall16_TwoGuestsOfOneHostAreApart) {
  Guest second{*host};
  int ended = 0;
  loop->create_task([&] {
    EXPECT_EQ(loop.get(), &get_event_loop());
    sleep(1ms);
    ++ended;
  });
  second->create_task([&] {
    EXPECT_EQ(second.get(), &get_event_loop());
    sleep(3ms);
    ++ended;
  });
  host->run();
  EXPECT_EQ(2, ended);
  EXPECT_THROW(get_event_loop(), NoRunningLoopError) << "in the host there is none";
}

TEST_F(GuestTest, Pitfall18_TheBudgetEndsATurnOfOurs) {
  Guest thrifty{*host, {.budget = 50us}};
  bool stop = false;
  int callbacks = 0;
  std::function<void()> again = [&] {
    ++callbacks;
    if (!stop) thrifty->call_soon(again);
  };
  thrifty->call_soon(again);
  int host_turns = 0;
  std::function<void()> tick = [&] {
    if (++host_turns == 20) stop = true;
    if (!stop) host->after(0ms, tick);
  };
  host->after(0ms, tick);
  host->run();
  EXPECT_EQ(20, host_turns);
  EXPECT_GE(callbacks, host_turns / 2) << "the smallest budget gets something done";
}

TEST_F(GuestTest, Pitfall19_ADescriptorMayBeTheHostsToo) {
  SocketPair pair;
  std::string log;
  loop->create_task([&] {
    wait_readable(pair.a());
    log += 't';
  });
  host->look();
  host->when_readable(pair.a(), [&] { log += 'h'; });
  pair.write(1, "x");
  host->run();
  EXPECT_EQ(2u, log.size()) << log;
}

TEST_F(GuestTest, AClosedDescriptorDisturbsNeitherSide) {
  SocketPair pair;
  SocketPair other;
  loop->create_task([&] {
    try {
      wait_readable(pair.a());
      ADD_FAILURE() << "must throw";
    } catch (const Error&) {
    }
  });
  host->look();
  host->after(1ms, [&] { pair.close_silently(0); });
  host->after(2ms, [&] {
    loop->create_task([&] {
      pair.close_silently(1);
      other.write(1, "x");
      wait_readable(other.a());
    });
  });
  host->after(5ms, [&] { host->end_run(); });
  host->run();
  loop->shutdown();
}

TEST_F(GuestTest, ADescriptorClosedBeforeTheHostHasHeardOfItDisturbsNeitherSide) {
  SocketPair pair;
  loop->create_task([&] {
    try {
      wait_readable(pair.a());
      ADD_FAILURE() << "must throw";
    } catch (const Error&) {
    }
  });
  // In a later turn of the loop, but the same of the host.
  loop->call_soon([&] { loop->call_soon([&] { pair.close_silently(0); }); });
  for (int i = 0; i < 3; ++i) host->look();
  loop->shutdown();
}

TEST_F(GuestTest, Pitfall8_WhatShutdownUnwindsMayCloseItsDescriptors) {
  host->look();
  loop->create_task([] {
    SocketPair pair;
    try {
      wait_readable(pair.a());
    } catch (const Cancelled&) {
      pair.close_silently(0);
      shield([] { sleep(1ms); });
      throw;
    }
  });
  for (int i = 0; i < 3; ++i) host->look();
  loop->shutdown();
}

TEST_F(GuestTest, DataThatCameWhileTheHostWasBusyBeatsTheTimeout) {
  SocketPair pair;
  TestClock clock;
  Guest virtually{*host, {}, {.clock = &clock}};
  bool ready = false;
  auto waiter = virtually->create_task([&] { ready = wait_readable(pair.a(), 5ms); });
  for (int i = 0; i < 3; ++i) host->look();
  virtually->call_soon([] {});  // so we are called before the host waits again
  pair.write(1, "x");
  clock.advance(10ms);
  for (int i = 0; i < 10 && !waiter.is_done(); ++i) host->look();
  EXPECT_TRUE(waiter.is_done());
  EXPECT_TRUE(ready);
}

}  // namespace
}  // namespace asyncio::test

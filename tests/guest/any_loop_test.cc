// The guest of any loop, as its host sees it: one descriptor, and when it is readable.
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include <poll.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/messages.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class AnyLoopTest : public testing::Test {
 protected:
  /// Would a host's poll return within that time?
  bool readable(std::chrono::milliseconds within = 0ms) const {
    pollfd polled{loop.native_handle().fd, POLLIN, 0};
    return ::poll(&polled, 1, static_cast<int>(within.count())) == 1;
  }
  /// Calls it as a host does, until it has nothing to do.
  void settle() {
    for (int calls = 0; readable(); ++calls) {
      ASSERT_LT(calls, 10) << "it calls for the host without end";
      loop.process();
    }
  }

  EventLoop loop{attach_by_descriptor()};
};

TEST_F(AnyLoopTest, AnIdleOneIsQuietAndNotAlive) {
  EXPECT_FALSE(readable());
  EXPECT_FALSE(loop.native_handle().alive);
  EXPECT_EQ(TimePoint::max(), loop.native_handle().deadline);
  EXPECT_EQ("any", loop.backend().type());
}

TEST_F(AnyLoopTest, EachThingTheHostDoesMakesItReadable) {
  Event event;
  loop.create_task([&] { event.wait(); });
  EXPECT_TRUE(readable());
  EXPECT_EQ(TimePoint::min(), loop.native_handle().deadline);
  settle();
  EXPECT_TRUE(loop.native_handle().alive);
  event.set();
  EXPECT_TRUE(readable());
  settle();
  EXPECT_FALSE(loop.native_handle().alive);
  loop.call_soon([] {});
  EXPECT_TRUE(readable());
  settle();
}

TEST_F(AnyLoopTest, ADeadlineMakesItReadableAndIsTold) {
  const TimePoint before = Clock::now();
  const TimerId far = loop.call_later(1h, [] {});
  const TimePoint after = Clock::now();
  settle();
  EXPECT_LE(before + 1h, loop.native_handle().deadline);
  EXPECT_GE(after + 1h, loop.native_handle().deadline);
  loop.del_timer(far);

  const TimePoint armed = Clock::now();
  bool fired = false;
  loop.call_later(5ms, [&] { fired = true; });
  while (!fired) {
    ASSERT_TRUE(readable(60'000ms));
    loop.process();
  }
  EXPECT_LE(armed + 5ms, Clock::now());
  settle();
  EXPECT_FALSE(loop.native_handle().alive);
}

TEST_F(AnyLoopTest, ADeadlineThatWentAwayIsNoneOfAnIdleOne) {
  const TimerId timer = loop.call_later(1min, [] { FAIL() << "it was revoked"; });
  settle();
  loop.del_timer(timer);
  loop.call_soon([] {});
  settle();
  EXPECT_EQ(TimePoint::max(), loop.native_handle().deadline);
  loop.call_later(1h, [] {});
  settle();
  loop.shutdown();
  EXPECT_EQ(TimePoint::max(), loop.native_handle().deadline);
}

TEST_F(AnyLoopTest, DataAndOtherThreadsMakeItReadable) {
  SocketPair pair;
  std::string got;
  loop.create_task([&] {
    wait_readable(pair.a());
    got = pair.read(0);
  });
  settle();
  pair.write(1, "x");
  EXPECT_TRUE(readable());
  settle();
  EXPECT_EQ("x", got);

  bool called = false;
  std::thread other{[&, handle = loop.handle()] { handle.post([&] { called = true; }); }};
  EXPECT_TRUE(readable(10'000ms));
  other.join();
  settle();
  EXPECT_TRUE(called);
}

TEST_F(AnyLoopTest, WhatTheBudgetLeavesKeepsItReadable) {
  bool stop = false;
  loop.create_task([&] {
    while (!stop) yield();
  });
  EXPECT_TRUE(loop.process(0us));
  EXPECT_TRUE(readable());
  EXPECT_TRUE(loop.process(100us));
  EXPECT_TRUE(readable());
  stop = true;
  EXPECT_FALSE(loop.process(10s));
  EXPECT_FALSE(readable());
}

TEST_F(AnyLoopTest, WithoutABudgetEachCallGetsSomethingDone) {
  int calls = 0;
  for (int i = 0; i < 3; ++i) loop.call_soon([&] { ++calls; });
  for (int i = 1; i <= 3; ++i) {
    loop.process(0us);
    EXPECT_EQ(i, calls);
  }
  EXPECT_FALSE(readable());
}

TEST_F(AnyLoopTest, CalledByATaskItDoesNothing) {
  std::string log;
  loop.create_task([&] {
    EXPECT_FALSE(loop.process());
    log += '1';
  });
  loop.create_task([&] { log += '2'; });
  settle();
  EXPECT_EQ("12", log);
}

// A closed descriptor whose duplicate lives on can only be forgotten by a new set; the host's
// watch, which may be an epoll set of its own, must outlive that.
TEST_F(AnyLoopTest, TheDescriptorOutlivesASetMadeAnew) {
  SocketPair pair;
  loop.call_later(1h, [] {});
  auto waiter = loop.create_task([&] { wait_readable(pair.a()); });
  settle();
  waiter.cancel();
  settle();
  const int fd = loop.native_handle().fd;
  const int duplicate = ::dup(pair.a());
  pair.close_silently(0);
  pair.write(1, "x");
  settle();  // the set says that the closed one is readable, until it is made anew
  EXPECT_EQ(fd, loop.native_handle().fd);
  loop.create_task([] {});
  EXPECT_TRUE(readable());
  settle();
  ::close(duplicate);
  loop.shutdown();
}

TEST_F(AnyLoopTest, AfterShutdownItIsQuietForGood) {
  loop.create_task([] { sleep(1h); });
  loop.shutdown();
  EXPECT_FALSE(readable());
  EXPECT_FALSE(loop.native_handle().alive);
  EXPECT_FALSE(loop.process());
}

TEST_F(AnyLoopTest, AnotherThreadIsRefused) {
  loop.process();  // from now on it is this thread's
  std::thread{[&] { EXPECT_THROW(loop.process(), InvalidStateError); }}.join();
}

TEST(AnyLoopErrorsTest, ALoopThatRunsItselfSaysHowItIsCalled) {
  EventLoop own;
  const std::string handle = message_of<InvalidStateError>([&] { own.native_handle(); });
  EXPECT_TRUE(contains(handle, "native_handle()") && contains(handle, "attach_by_descriptor"));
  const std::string process = message_of<InvalidStateError>([&] { own.process(); });
  EXPECT_TRUE(contains(process, "process()") && contains(process, "run("));
}

}  // namespace
}  // namespace asyncio::test

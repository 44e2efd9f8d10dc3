// Descriptors, the same on every backend (cases L12 to L24).
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <climits>

#include <asyncio/asyncio.h>
#include <asyncio/tests/support/loop_test.h>
#include <asyncio/tests/support/socket_pair.h>

namespace asyncio::test {
namespace {

using namespace std::chrono_literals;

class DescriptorConformance : public LoopTest {};

TEST_F(DescriptorConformance, L12_ReaderAndWriterOfOneDescriptorAreIndependent) {
  run([&] {
    SocketPair pair;
    pair.fill(0);
    bool readable = false;
    bool writable = false;
    auto reader = create_task([&] { wait_readable(pair.a()), readable = true; });
    auto writer = create_task([&] { wait_writable(pair.a()), writable = true; });
    settle();
    EXPECT_FALSE(readable || writable);
    reader.cancel();
    settle();
    EXPECT_FALSE(writable);
    pair.read(1);  // drains what was filled
    await(writer);
    EXPECT_TRUE(writable);
    EXPECT_FALSE(readable);
  });
}

TEST_F(DescriptorConformance, L12_HangUpWakesBothDirections) {
  run([&] {
    SocketPair pair;
    pair.fill(0);
    auto reader = create_task([&] { wait_readable(pair.a()); });
    auto writer = create_task([&] { wait_writable(pair.a()); });
    settle();
    pair.close(1);
    await(reader);
    await(writer);
  });
}

TEST_F(DescriptorConformance, L13_ASecondWaiterInOneDirectionIsBusyError) {
  run([&] {
    SocketPair pair;
    auto first = create_task([&] { wait_readable(pair.a()); }, "first");
    settle();
    try {
      wait_readable(pair.a());
      FAIL();
    } catch (const BusyError& error) {
      EXPECT_NE(std::string::npos, std::string{error.what()}.find("first"));
    }
    pair.write(1, "x");
    await(first);
  });
}

TEST_F(DescriptorConformance, L14_AWaitEndedInTheSameTurnIsNotReportedLater) {
  run([&] {
    SocketPair one;
    SocketPair two;
    int woken = 0;
    auto b = create_task([&] { wait_readable(two.a()), ++woken; });
    auto a = create_task([&] {
      wait_readable(one.a());
      ++woken;
    });
    settle();
    b.cancel();
    two.write(1, "x");
    one.write(1, "x");
    await(a);
    settle();
    EXPECT_EQ(1, woken);
    EXPECT_EQ("x", two.read(0)) << "the byte is still there";
  });
}

TEST_F(DescriptorConformance, L15_UnreadDataIsReportedAgain) {
  run([&] {
    SocketPair pair;
    pair.write(1, "xy");
    for (int i = 0; i < 5; ++i) wait_readable(pair.a());
    EXPECT_EQ("xy", pair.read(0));
    EXPECT_FALSE(wait_readable(pair.a(), 1ms));
  });
}

TEST_F(DescriptorConformance, L16_ADescriptorThatIsNotOpenIsAnErrorAtOnce) {
  run([&] {
    for (const int fd : {-1, 19'999, INT_MAX}) {
      try {
        wait_readable(fd);
        FAIL() << fd;
      } catch (const FdError& error) {
        EXPECT_EQ(EBADF, error.code());
      }
      EXPECT_THROW(wait_writable(fd, 1s), FdError);
    }
  });
}

TEST_F(DescriptorConformance, L17_ClosingAWatchedDescriptorSilentlyDisturbsNobody) {
  run([&] {
    SocketPair doomed;
    SocketPair healthy;
    auto lost = create_task([&] { wait_readable(doomed.a()); });
    auto fine = create_task([&] { wait_readable(healthy.a()); });
    settle();
    doomed.close_silently(0);
    settle();
    healthy.write(1, "x");
    await(fine);
    // Whether it was noticed depends on the kernel's mechanism; either way the task can be ended.
    lost.cancel();
    EXPECT_ANY_THROW(await(lost));
  });
}

TEST_F(DescriptorConformance, L17_NotifyClosingWakesWaitersWithClosedError) {
  run([&] {
    SocketPair pair;
    pair.fill(0);
    auto reader = create_task([&] { wait_readable(pair.a()); });
    auto writer = create_task([&] { wait_writable(pair.a()); });
    settle();
    pair.close(0);
    EXPECT_THROW(await(reader), ClosedError);
    EXPECT_THROW(await(writer), ClosedError);
    notify_closing(-1);
    notify_closing(12'345);
  });
}

TEST_F(DescriptorConformance, L18_AReusedNumberServesItsNewOwnerAlone) {
  run([&] {
    auto old_pair = std::make_unique<SocketPair>();
    const int number = old_pair->a();
    auto old_waiter = create_task([&] { wait_readable(number); });
    settle();
    old_pair->close_silently(0);
    SocketPair fresh;
    ASSERT_EQ(number, fresh.a()) << "the kernel gives out the lowest free number";
    auto new_waiter = create_task([&] {
      wait_readable(fresh.a());
      return fresh.read(0);
    });
    settle();
    fresh.write(1, "new");
    EXPECT_EQ("new", await(new_waiter));
    old_waiter.cancel();
    EXPECT_ANY_THROW(await(old_waiter));
  });
}

TEST_F(DescriptorConformance, L18_OneTaskMayCloseAndReuseANumberInALoop) {
  real_time();  // the check of a trusted registration goes by real time
  run([&] {
    int number = -1;
    for (int i = 0; i < 20; ++i) {
      SocketPair pair;
      if (i == 0) number = pair.a();
      ASSERT_EQ(number, pair.a());
      auto writer = create_task([&] { pair.write(1, "x"); });
      ASSERT_TRUE(wait_readable(pair.a(), 5s)) << "round " << i;
      await(writer);
      pair.close_silently(0);
      pair.close_silently(1);
    }
  });
}

TEST_F(DescriptorConformance, L19_ADuplicateOfAClosedDescriptorCausesNoEndlessWakeups) {
  real_time();
  run([&] {
    SocketPair pair;
    auto waiter = create_task([&] { wait_readable(pair.a()); });
    settle();
    const int duplicate = ::dup(pair.a());
    waiter.cancel();
    settle();
    pair.close_silently(0);
    pair.write(1, "x");
    const std::uint64_t before = loop().statistics().backend_waits;
    sleep(30ms);
    EXPECT_LT(loop().statistics().backend_waits - before, 50u);
    ::close(duplicate);
  });
}

TEST_F(DescriptorConformance, L20_WhatNeverBlocksIsAlwaysReady) {
  run([&] {
    for (const char* path : {"/proc/self/exe", "/", "/dev/null"}) {
      const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
      ASSERT_GE(fd, 0);
      wait_readable(fd);
      EXPECT_TRUE(wait_writable(fd, 1s)) << path;
      ::close(fd);
    }
  });
}

TEST_F(DescriptorConformance, L21_ANumberBeyondFdSetsizeWorks) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  run([&] {
    SocketPair pair;
    const int high = ::fcntl(pair.a(), F_DUPFD_CLOEXEC, 3000);
    ASSERT_GE(high, 3000);
    auto waiter = create_task([&] { wait_readable(high); });
    settle();
    pair.write(1, "x");
    await(waiter);
    notify_closing(high);
    ::close(high);
  });
}

TEST_F(DescriptorConformance, L23_AnEpollDescriptorIsReadableWhenOneOfItsOwnIs) {
  run([&] {
    SocketPair pair;
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{};
    event.events = EPOLLIN;
    ASSERT_EQ(0, ::epoll_ctl(epoll, EPOLL_CTL_ADD, pair.a(), &event));
    EXPECT_FALSE(wait_readable(epoll, 1ms));
    pair.write(1, "x");
    EXPECT_TRUE(wait_readable(epoll, 1s));
    notify_closing(epoll);
    ::close(epoll);
  });
}

TEST_F(DescriptorConformance, TimeoutOfZeroLooksOnce) {
  run([&] {
    SocketPair pair;
    EXPECT_FALSE(wait_readable(pair.a(), 0));
    EXPECT_TRUE(wait_writable(pair.a(), 0));
    pair.write(1, "x");
    EXPECT_TRUE(wait_readable(pair.a(), 0));
    EXPECT_TRUE(wait_readable(pair.a(), -1ms));
  });
}

}  // namespace
}  // namespace asyncio::test
